"""Proofs of what holds data back: fifos, the ring of sums, the weight buffer, the queue of LOAD and STORE."""

from __future__ import annotations

from dataclasses import replace

from edgemoe.spec.machine import HELD_BACK_LINES
from sim.formal.proof import Bounded, Induction, Mutant, Proof, Property

FIFO, WORD_FIFO, RING = "parts/fifo.v", "parts/word_fifo.v", "compute/sum_ring.v"
COUNTERS = "parts/word_fifo_counters.v"
STEPS, BUFFER, MOVES = "compute/matmul_steps.v", "memory/weight_buffer.v", "movers/move_queue.v"

FIRST_OUT = "entries leave in the order in which they came, unchanged"

FIFO_PROOF = Proof(
    "fifo_proof", "fifo", Induction(3), registers=("entries",), invariants=("places", "stands"),
    properties=(
        Property("first_in_first_out", FIRST_OUT, Mutant(FIFO, "entries[next] <= value", "entries[first] <= value")),
        Property("counts", "count is what was pushed and not popped",
                 Mutant(FIFO, "if (!push && pop) count", "if (pop) count")),
        Property("flags", "empty and full say so at once",
                 Mutant(FIFO, "full <= !pop && (push", "full <= (push")),
    ),
)  # fmt: skip

WORD_FIFO_PROOF = Proof(
    "word_fifo_proof", "word_fifo", Induction(3), registers=("entries",), invariants=("places", "stands", "waiting"),
    properties=(
        Property("first_in_first_out", FIRST_OUT, Mutant(WORD_FIFO, "entries[taken[", "entries[written[")),
        Property("counts", "count is what was pushed and not popped",
                 Mutant(COUNTERS, "kept - 1'b1", "kept")),
        Property("offers_what_it_holds", "what was held a cycle ago stands at the front",
                 Mutant(COUNTERS, "empty <= !waits && (empty", "empty <= (!waits || push) && (empty")),
    ),
)  # fmt: skip

SUM_RING = Proof(
    "sum_ring_proof", "sum_ring", Induction(2),
    properties=(
        Property("sum_since_first", "a slot has the sum of its products since the last `first`",
                 Mutant(RING, "{(SUM_BITS-PRODUCT_BITS){product[PRODUCT_BITS-1]}}", "{(SUM_BITS-PRODUCT_BITS){1'b0}}")),
    ),
)  # fmt: skip

MATMUL_STEPS = Proof(
    "matmul_steps_proof", "matmul_steps", Bounded(15), constants={"SLOT_BITS": 3, "SLOTS": 8}, slow=True,
    properties=(
        Property("nothing_over_an_undrained_sum", "no sum begins in a slot that waits to be drained",
                 Mutant(STEPS, "group_fits <= !(issue && group_opens) && (load", "group_fits <= (load")),
        Property("a_sum_begins_with_first", "the first product of a group in a slot begins a new sum",
                 Mutant(STEPS, "(!second_tile || low_digit)", "!second_tile"), 20),
        Property("sums_lie_in_their_job", "the slots that a group fills are those that its job has drained",
                 Mutant(STEPS, "base_slot <= following_slot;", "base_slot <= slot;")),
        Property("jobs_in_a_row", "jobs follow each other in the ring without a gap",
                 Mutant(STEPS, "next_sums <= next[PASS_KIND +: 3] == PASS_LOGITS ?", "next_sums <= 1'b0 ?")),
        Property("tiles_after_they_came", "a tile is used up once, and not before it came",
                 Mutant(STEPS, "!tile_opens || tile_ready", "1'b1"), 20),
        Property("never_more_than_the_ring", "groups that are not drained fit into the ring",
                 Mutant(STEPS, "wire fits = used + group_slots <= room", "wire fits = used <= room"), 20),
    ),
)  # fmt: skip

WIDE_STEPS = replace(MATMUL_STEPS, constants={**MATMUL_STEPS.constants, "WIDE_TOKENS": 1})

WEIGHT_BUFFER = Proof(
    "weight_buffer_proof", "weight_buffer", Induction(2), parameters={"HELD_BACK_LINES": HELD_BACK_LINES},
    small={"RUN_BITS": 6}, slow=True,
    invariants=(
        "heads", "keeps", "received", "levels", "flags", "settles", "compares", "corrected", "completes", "pasts",
        "ports",
    ),
    properties=(
        Property("available_lines_are_there", "what is available has come whole, over every port",
                 Mutant(BUFFER, "received > complete", "received >= complete")),
        Property("never_past_the_run", "nothing beyond the last line is available",
                 Mutant(BUFFER, ".if_clear({8{many}}", ".if_clear({8{1'b1}}")),
        Property("room_is_free", "ports are never let into a row that waits to be taken",
                 Mutant(BUFFER, "CAPACITY = DEPTH * LINES;", "CAPACITY = DEPTH * LINES + LINES;")),
        Property("room_comes_back", "what is used is room one cycle later; that is FEW lines until hold_back ends",
                 Mutant(BUFFER, "few <= begin_run || (few && hold_back);", "few <= begin_run;")),
        Property("room_never_falls", "room_words never falls within a run",
                 Mutant(BUFFER, "room <= room + {{", "room <= room - {{")),
        Property("skips_what_is_used", "skip_to follows lines taken and skipped at once, but for those that are kept",
                 Mutant(BUFFER, "first_kept : head) + {{(LINE_BITS-32){1'b0}}, step};",
                        "first_kept : head) + {{(LINE_BITS-32){1'b0}}, step_before};")),
        Property("skip_never_falls", "skip_to never falls within a run",
                 Mutant(BUFFER, "{2'b00, keeping ? first_kept : head}", "{2'b00, head}")),
        Property("left_follows", "left is what the run has beyond lines used",
                 Mutant(BUFFER, "range_lines : left - {32'd0, step_before};", "range_lines : left - {32'd0, step};")),
        Property("kept_is_not_overwritten", "ports are never let into a row that waits to be taken once more",
                 Mutant(BUFFER, "step_before <= kept ? 32'd0 : step;", "step_before <= step;")),
        Property("kept_is_left", "a line that is kept is left until it is taken once more",
                 Mutant(BUFFER, "kept = !again && (keep || keeping);", "kept = !again && keeping;")),
        Property("again_from_the_first", "the second pass begins with the first line that was kept",
                 Mutant(BUFFER, "head <= (again ? first_kept :", "head <= (again ? first_kept + 1'b1 :")),
        Property("none_after_again", "nothing is available for four cycles, until levels are those of the second pass",
                 Mutant(BUFFER, "if (skip || again || settling > 1)", "if (skip || settling > 1)")),
    ),
)  # fmt: skip

WEIGHT_BUFFER_LINES = Proof(
    "weight_buffer_proof", "weight_buffer", Bounded(12), slow=True,
    parameters={"PORTS": 4, "TILE_LINES": 2, "PREFETCH_BYTES": 2048},
    properties=(
        Property("taken_is_what_came", "lines taken are those that the ports delivered, in the order of the stream",
                 Mutant(BUFFER, "bank_2 <= bank_1;", "bank_2 <= head_bank;")),
    ),
)  # fmt: skip

WEIGHT_BUFFER_AGAIN = replace(
    WEIGHT_BUFFER_LINES, method=Bounded(16),
    parameters={"PORTS": 4, "TILE_LINES": 1, "PREFETCH_BYTES": 2048, "SHORT": 1},
    properties=(
        Property("taken_again_is_what_came", "lines taken once more are those that the ports delivered",
                 Mutant(BUFFER, "if (keep) first_kept <= head;",
                        "if (keep) first_kept <= head + {{(LINE_BITS-32){1'b0}}, step};")),
    ),
)  # fmt: skip

MOVE_QUEUE = Proof(
    "move_queue_proof", "move_queue", Induction(2), hardware="zcu102_stream",
    registers=("moves", "place", "first", "row_end", "width"), invariants=("counts", "phases", "stands", "reads"),
    properties=(
        Property("in_order_unchanged", "moves start in the order in which they came, as they came",
                 Mutant(MOVES, "phase == READ ? moves[oldest]", "phase == READ ? moves[newest]"), 20),
        Property("one_at_a_time", "a move starts when the one before is done, and never without one",
                 Mutant(MOVES, "BUSY: if (ends)", "BUSY: if (1'b1)"), 20),
        Property("starts_soon", "none is lost: what nothing hinders starts in the second cycle",
                 Mutant(MOVES, "READ: if (waiting[oldest])", "READ: if (waiting[newest])")),
        Property("after_all_writes", "LOAD starts when memory has answered for all writes",
                 Mutant(MOVES, "(!oldest_loads || written)", "(oldest_loads || written)")),
        Property("storing_is_said", "storing while the unit at work is that of STORE",
                 Mutant(MOVES, "storing = phase != READ &&", "storing = phase == START &&")),
        Property("room_is_free", "room only where one more has a place",
                 Mutant(MOVES, "room <= !(&waiting) && !push;", "room <= !(&waiting);")),
        Property("idle_is_empty", "idle only when every move is done",
                 Mutant(MOVES, "idle <= waiting == 0 && !push;", "idle <= waiting == 0;")),
        Property("held_back", "what shares a port, rows or queues with a move that is not done is blocked",
                 Mutant(MOVES, "first[n]} < access_end", "first[n]} < access_end - 17'd1")),
        Property("held_back_by_a_move", "nothing is blocked when every move is done",
                 Mutant(MOVES, "|(conflict & waiting)", "|conflict")),
    ),
)  # fmt: skip

PROOFS = (
    FIFO_PROOF,
    WORD_FIFO_PROOF,
    SUM_RING,
    MATMUL_STEPS,
    WIDE_STEPS,
    WEIGHT_BUFFER,
    WEIGHT_BUFFER_LINES,
    WEIGHT_BUFFER_AGAIN,
    MOVE_QUEUE,
)

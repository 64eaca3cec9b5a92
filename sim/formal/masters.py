"""Proofs of the AXI4 masters: data_reader (which also fetches instructions), weight_port, data_writer."""

from __future__ import annotations

from edgemoe.spec.machine import DATA_QUEUE, clog2
from sim.formal.proof import Bounded, Induction, Mutant, Proof, Property
from sim.formal.prover import PRECONDITIONS

READER, PORT, WRITER = "memory/data_reader.v", "memory/weight_port.v", "memory/data_writer.v"

READ_RULES = {
    "address_waits": "ARVALID stays until ARREADY",
    "address_is_held": "the address and its burst are held until ARREADY",
    "burst_within_4_kib": "no burst crosses 4 KiB; each is of aligned 16-byte beats, incrementing",
    "burst_of_16_at_most": "a burst has 16 beats at most",
    "bursts_within_limit": "2^OUTSTANDING_BITS bursts in flight at most",
}


def _read(label: str, file: str, old: str, new: str, cycles: int = 16) -> Property:
    return Property(label, READ_RULES[label], Mutant(file, old, new), cycles)


DATA_READER = Proof(
    "data_reader_proof", "data_reader", Induction(3), beside=("axi_read_rules",), slow=True,
    parameters={"QUEUE_BITS": clog2(DATA_QUEUE)}, small={"QUEUE_BITS": 4, "OUTSTANDING_BITS": 1},
    invariants=("burst_model", "states", "rooms", "lengths", "blocks", "counts", "dropped", "reserves", "commands",
                "nothing_left", "waits"),
    properties=(
        _read("address_waits", READER, "if (m_axi_ARREADY) begin", "if (m_axi_ARREADY || flush) begin"),
        _read("address_is_held", READER, "        if (request) begin\n            m_axi_ARADDR",
              "        if (state != STATE_MEASURE) begin\n            m_axi_ARADDR"),
        _read("burst_within_4_kib", READER, "5'd16 - {1'b0, address[7:4]}", "5'd16 - {1'b0, address[7:5], 1'b0}"),
        _read("burst_of_16_at_most", READER, "m_axi_ARLEN <= {3'b000, length} - 8'd1;",
              "m_axi_ARLEN <= {3'b000, length} + 8'd1;"),
        _read("bursts_within_limit", READER, " && !in_flight[OUTSTANDING_BITS];", ";"),
        Property("room_for_every_beat", "RREADY is always high, and the queue has room for every beat",
                 Mutant(READER, "reserved <= QUEUE[DATA_QUEUE_BITS:0] - {{(DATA_QUEUE_BITS-4){1'b0}}, length} &&",
                        "reserved < QUEUE[DATA_QUEUE_BITS:0] &&"), 40),
        Property("flushed_is_empty", "flushed: no address is offered, no burst in flight",
                 Mutant(READER, "!m_axi_ARVALID && in_flight == 0 && !dropping", "!m_axi_ARVALID && !dropping")),
        Property("word_is_held", "word_valid and the word stay until word_ready, or a flush",
                 Mutant(READER, "newest != oldest && (!word_valid || word_ready)", "newest != oldest")),
        Property("nothing_after_flush", "after a cycle of flush no word and no new address",
                 Mutant(READER, "state == STATE_REQUEST && room && !stop", "state == STATE_REQUEST && room")),
        Property("requests_follow_the_command", "addresses are those of the command's words, in order, without a gap",
                 Mutant(READER, "address <= address + {55'd0, length};", "address <= address + 60'd16;")),
        Property("whole_command_requested", "a command is taken once all of the one before is requested",
                 Mutant(READER, "state <= stop || remaining == 0 ? STATE_IDLE : STATE_MEASURE;",
                        "state <= stop || remaining[3:0] == 0 ? STATE_IDLE : STATE_MEASURE;")),
    ),
)  # fmt: skip

DATA_READER_WORDS = Proof(
    "data_reader_proof", "data_reader", Bounded(16), beside=("axi_read_rules",), slow=True,
    parameters={"QUEUE_BITS": 4, "OUTSTANDING_BITS": 1},
    properties=(
        Property("words_in_order", "words are handed on as they come, none twice, none lost",
                 Mutant(READER, "word <= queue[oldest[DATA_QUEUE_BITS-1:0]];",
                        "word <= queue[newest[DATA_QUEUE_BITS-1:0]];")),
    ),
)  # fmt: skip

WEIGHT_PORT = Proof(
    "weight_port_proof", "weight_port", Induction(3), beside=("axi_read_rules",), slow=True,
    small={"OUTSTANDING_BITS": 1},
    invariants=("burst_model", "states", "known", "counts", "blocks", "measured", "located", "lengths", "ends", "runs",
                "actives", "asks", "nexts", "waits"),
    properties=(
        _read("address_waits", PORT, "if (m_axi_ARREADY) begin", "if (m_axi_ARREADY || flush) begin"),
        _read("address_is_held", PORT, "requested_length} - 8'd1", "requested_length} - {7'd0, !flush}"),
        _read("burst_within_4_kib", PORT, "5'd16 - {1'b0, offset}", "5'd16 - {1'b0, offset[3:1], 1'b0}"),
        _read("burst_of_16_at_most", PORT, "requested_length} - 8'd1", "requested_length} + 8'd1"),
        _read("bursts_within_limit", PORT, " && !in_flight[OUTSTANDING_BITS];", ";", 24),
        Property("room_for_every_beat", "RREADY is always high",
                 Mutant(PORT, "assign m_axi_RREADY = 1'b1;", "assign m_axi_RREADY = !flush;")),
        Property("address_of_word", "word i is asked for at base_address + 16·i",
                 Mutant(PORT, "address <= base + {{(60-INDEX_BITS){1'b0}}, next};",
                        "address <= base | {{(60-INDEX_BITS){1'b0}}, next};")),
        Property("in_order", "words are asked for in order, none twice, and none left out but up to skip_to",
                 Mutant(PORT, "next <= burst_end;", "next <= burst_end + 1'b1;"), 20),
        Property("within_the_run", "nothing is asked for beyond the last word of the run",
                 Mutant(PORT, "finished <= next >= total;", "finished <= next > total;")),
        Property("within_the_room", "nothing is asked for beyond room_words",
                 Mutant(PORT, "burst_end <= room_known", "next <= room_known")),
        Property("flushed_is_empty", "flushed: no address is offered, no burst in flight",
                 Mutant(PORT, "flushed = !m_axi_ARVALID && in_flight == 0;", "flushed = !m_axi_ARVALID;")),
        Property("nothing_after_flush", "after a cycle of flush no word and no new address",
                 Mutant(PORT, "m_axi_RVALID && active && !flush;", "m_axi_RVALID && active;")),
        Property("every_word_passes", "a beat of the run is handed on one cycle later",
                 Mutant(PORT, "word <= m_axi_RDATA;", "if (first) word <= m_axi_RDATA;")),
    ),
)  # fmt: skip

WEIGHT_PORT_INDEX = Proof(
    "weight_port_proof", "weight_port", Bounded(16), beside=("axi_read_rules",), slow=True,
    parameters={"OUTSTANDING_BITS": 1},
    properties=(
        Property("index_of_word", "a word comes with the index that it was asked for by",
                 Mutant(PORT, "first ? burst_index[oldest]", "first ? burst_index[newest]")),
    ),
)  # fmt: skip

DATA_WRITER = Proof(
    "data_writer_proof", "data_writer", Induction(3), beside=("axi_write_rules",), slow=True,
    parameters={"OUTSTANDING_BITS": 1}, small={"QUEUE_BITS": 4, "WAIT_BITS": 2}, registers=("burst_queue",),
    invariants=("model", "counts", "channels", "lasts", "beats", "blocks", "closes", "words", "opens", "lasts_open",
                "joins", "incoming", "totals", "queued"),
    properties=(
        Property("address_waits", "AWVALID stays until AWREADY",
                 Mutant(WRITER, "(m_axi_AWVALID && !m_axi_AWREADY)", "(m_axi_AWVALID && !m_axi_AWREADY && !flush)")),
        Property("address_is_held", "the address and its burst are held until AWREADY",
                 Mutant(WRITER, "if (next_burst) begin", "if (next_burst || flush) begin"), 20),
        Property("data_waits", "WVALID stays until WREADY",
                 Mutant(WRITER, "(m_axi_WVALID && !m_axi_WREADY)", "(m_axi_WVALID && !m_axi_WREADY && !flush)")),
        Property("data_is_held", "data, strobes and WLAST are held until WREADY",
                 Mutant(WRITER, "if (next_word) begin", "if (next_word || sending) begin"), 20),
        Property("burst_within_4_kib", "no burst crosses 4 KiB; each is of aligned 16-byte beats, incrementing",
                 Mutant(WRITER, "staged && follows && open && !full", "staged && follows && open")),
        Property("bursts_within_limit", "2^OUTSTANDING_BITS bursts without a response at most",
                 Mutant(WRITER, " && !unanswered[OUTSTANDING_BITS];", ";"), 24),
        Property("data_has_an_address", "no beat before its address is offered",
                 Mutant(WRITER, "next_word = sending &&", "next_word = (sending || closed_bursts != 0) &&")),
        Property("last_beat_is_marked", "WLAST is high with the last beat of its burst, and with no other",
                 Mutant(WRITER, "m_axi_WLAST <= to_send == 0;", "m_axi_WLAST <= to_send == 1;")),
        Property("response_is_taken", "BREADY is always high",
                 Mutant(WRITER, "assign m_axi_BREADY = 1'b1;", "assign m_axi_BREADY = !flush;")),
        Property("idle_is_empty", "idle: every word taken is written, and answered for",
                 Mutant(WRITER, "\n        && unanswered == 0;", ";")),
        Property("nothing_after_flush", "after a cycle of flush no word is accepted",
                 Mutant(WRITER, "incoming_words < 4'd6 && !flush;", "incoming_words < 4'd6;")),
        Property(PRECONDITIONS, "the queue of words on their way in is pushed and popped as fifo demands",
                 Mutant(WRITER, "incoming_words < 4'd6", "incoming_words < 4'd8"), 32),
    ),
)  # fmt: skip

DATA_WRITER_WORDS = Proof(
    "data_writer_proof", "data_writer", Bounded(13), beside=("axi_write_rules",), slow=True,
    parameters={"QUEUE_BITS": 4, "OUTSTANDING_BITS": 1, "WAIT_BITS": 2},
    properties=(
        Property("word_at_its_address", "what is taken is written, in order, each word where it belongs",
                 Mutant(WRITER, "if (!join_open)", "if (!follows)")),
    ),
)  # fmt: skip

PROOFS = (DATA_READER, DATA_READER_WORDS, WEIGHT_PORT, WEIGHT_PORT_INDEX, DATA_WRITER, DATA_WRITER_WORDS)

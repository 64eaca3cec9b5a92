"""Which tests guard a file: stages of pytest arguments, those nearest to the file first.

A stage is one run of pytest. A mutant is killed by the first stage that fails and lives when all pass.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from pathlib import Path

from edgemoe.devices.rtl.build import modules, sources_of
from edgemoe.kernels.benches import Bench, benches
from edgemoe.kernels.vectors import KERNELS
from sim.formal.__main__ import PROOFS
from sim.formal.proof import Proof
from tests.mutants.lines import Ran

Stage = tuple[str, ...]

UNITS = "tests/rtl/test_units.py::test_the_unit_is_golden"
WHOLE_MACHINE = "tests/host/test_machine_faults.py"  # its good program has every instruction and every buffer
OF_MEMORY = ("tests/host/test_machine_stream.py", "tests/host/test_machine_widths.py")
OF_OPTIONS = tuple(f"tests/golden/test_{name}.py" for name in ("mixed", "activations", "gate_forms"))
OF_STREAMING = ("tests/host/test_machine_streaming.py", "tests/golden/test_streaming.py")
LINT: Stage = ("tests/rtl/test_top.py::test_lint_is_clean[micro]",)  # a width that does not fit is one of its errors
FORM: Stage = ("tests/rtl/test_form.py",)  # which shapes are refused
LOOPS: Stage = ("tests/hls/test_sources.py::test_a_loop_turns_as_often_as_its_comment_says",)
DRIVER: Stage = ("tests/driver",)  # on PYNQ, which has an environment of its own
QUICK: Stage = ("-m", "not slow")
LONGEST = 240.0  # seconds of tests for a line of the host: most lines of the compiler run in nearly all of them
FIRST = 40  # tests of a line of the host that run before the files of all others are imported
NEAREST = 2  # benches before the whole machine is tried


def rtl(file: str) -> list[Stage]:
    """Benches of the smallest modules that contain it, proofs, lint, the whole machine and its options."""
    module = Path(file).stem
    near = [_bench_stage(bench) for bench in _benches_with(module)]
    proofs = tuple(f"tests/rtl/test_formal.py::test_properties_hold[{proof.name}]" for proof in _proofs_with(module))
    machine: list[Stage] = [
        (WHOLE_MACHINE, "-k", "rtl and not golden"),
        ("tests/rtl/test_faults.py",),
        ("tests/ops", "-k", "rtl"),
        (*OF_OPTIONS, "-k", "rtl"),
        (*OF_STREAMING, "-k", "rtl"),
        ("tests/system/test_engines.py", "-k", "rtl"),
    ]
    lints = [LINT, FORM] if module == "edgemoe_core" else [LINT]
    return [*near[:NEAREST], *([proofs] if proofs else []), *lints, machine[0], *near[NEAREST:], *machine[1:]]


def hls(file: str) -> list[Stage]:
    """Loops, the kernel's vectors, the rules, the whole machine, operations and options on csim, sanitizers."""
    kernel = Path(file).stem
    vectors: list[Stage] = []
    if file.startswith("hls/kernels/"):
        chosen = "" if kernel not in KERNELS else f"[kv260-{kernel}]"
        vectors = [(f"tests/hls/test_kernels.py::test_a_kernel_equals_golden{chosen}", *QUICK)]
    if kernel in ("legality", "instruction"):
        vectors = [("tests/hls/test_rules.py", *QUICK)]
    return [
        LOOPS,
        *vectors,
        (WHOLE_MACHINE, "-k", "csim"),
        (*OF_MEMORY, "-k", "csim"),
        ("tests/ops", "-k", "csim"),
        (*OF_OPTIONS, "-k", "csim"),
        (*OF_STREAMING, "-k", "csim"),
        ("tests/system/test_engines.py", "-k", "csim"),
        ("tests/hls/test_dataflow.py", "tests/hls/test_distances.py", "tests/hls/test_schedule.py", *QUICK),
        ("tests/hls/test_builds.py", "tests/hls/test_sanitizers.py", *QUICK),
    ]


def host(line: tuple[str, int], ran: Ran) -> list[Stage]:
    """The tests that run this line, quick ones first, for `LONGEST` seconds; the first few alone; then the driver's."""
    driver = [DRIVER] if line[0].startswith("host/edgemoe/pynq/") else []
    tests = ran.tests.get(line) or ran.tests.get((line[0], 0), ())
    within = tuple(
        test for test, end in zip(tests, accumulate(ran.seconds[one] for one in tests), strict=True) if end < LONGEST
    )
    return [*((*part, *QUICK) for part in (within[:FIRST], within[FIRST:]) if part), *driver]


_benches, _modules = cache(benches), cache(modules)


@cache
def _benches_with(module: str) -> list[Bench]:
    """Benches whose design has this module, the smallest design first."""
    found = [bench for bench in _benches() if module in _design(bench.top)]
    return sorted(found, key=lambda bench: (len(_design(bench.top)), bench.name))


@cache
def _proofs_with(module: str) -> list[Proof]:
    return [proof for proof in PROOFS if not proof.slow and module in _design(proof.unit)]


@cache
def _design(top: str) -> frozenset[str]:
    """Names of the modules in a design."""
    return frozenset(path.stem for path in sources_of(_modules()[top], _modules()))


def _bench_stage(bench: Bench) -> Stage:
    return tuple(f"{UNITS}[{bench.named(run)}]" for run in bench.runs if not run.slow)

"""The repository holds together: dependencies run one way, generated files are fresh, modules stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgemoe.spec.generate.files import generated_files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"edgemoe": ROOT / "host" / "edgemoe", "edgemoe_golden": ROOT / "golden"}
HEAVY = ("torch", "pynq", "cv2", "av", "tornado", "onnx", "onnxruntime", "optuna", "dask", "distributed")
MISSING_HERE = {"ImportError", "MissingToolError", "EngineNotBuiltError", "SimulationError", "DoesNotFitError"}
HELPS = ("description", "help", "epilog")  # what argparse shows

# Who may import whom, by the first matching prefix; a module may always import its own entry.
EVERYBODY = ("edgemoe.errors", "edgemoe.extras", "edgemoe.version")
ALLOWED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(EVERYBODY, ()),
    "edgemoe_golden.ops": ("edgemoe.spec",),
    "edgemoe_golden.budget": ("edgemoe.spec", "edgemoe.compiler", "edgemoe.frames", "edgemoe_golden"),
    "edgemoe_golden.quantising": ("edgemoe.spec", "edgemoe.media", "edgemoe_golden"),
    "edgemoe_golden": ("edgemoe.spec", "edgemoe_golden"),
    "edgemoe.spec": (),
    "edgemoe.compiler": ("edgemoe.spec",),
    "edgemoe.results": ("edgemoe.spec",),
    "edgemoe.media": ("edgemoe.spec", "edgemoe.results"),
    "edgemoe.devices.golden": ("edgemoe.spec", "edgemoe.devices", "edgemoe_golden.ops"),
    "edgemoe.devices": ("edgemoe.spec", "edgemoe.devices"),
    "edgemoe.frames": ("edgemoe.spec", "edgemoe.compiler.program", "edgemoe.results"),
    "edgemoe.kernels": ("edgemoe", "edgemoe_golden.ops"),
    "edgemoe.commands.import_checkpoint": ("edgemoe", "edgemoe_golden.importing", "edgemoe_golden.quantising"),
    "edgemoe.commands.calibrate": ("edgemoe", "edgemoe_golden.quantising"),
    "edgemoe.commands.demo": ("edgemoe", "edgemoe_golden.scenes"),
    "edgemoe.demo.drawn": ("edgemoe", "edgemoe_golden.scenes"),
    "edgemoe": ("edgemoe",),
}
# Where each heavy library may be imported at all; everything else must run without it.
HOMES = {
    "torch": ("edgemoe_golden",),
    "pynq": ("edgemoe.pynq",),
    "cv2": ("edgemoe.media.camera",),
    "av": ("edgemoe.media.video",),
    "tornado": ("edgemoe.demo.server",),
    "onnx": ("edgemoe.spec.onnx_file", "edgemoe_golden.importing.onnx"),
    "onnxruntime": ("edgemoe.spec.onnx_file",),
    "optuna": ("edgemoe.tuning.search",),
    "dask": ("edgemoe.cluster",),
    "distributed": ("edgemoe.cluster",),
}


def modules() -> Iterator[tuple[str, Path]]:
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            yield ".".join((package, *(part for part in parts if part != "__init__"))), path


MODULES = dict(modules())
GENERATED = generated_files()


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def entry(module: str, entries: dict[str, tuple[str, ...]]) -> str:
    return max((name for name in entries if module == name or module.startswith(name)), key=len)


@pytest.mark.parametrize("module", MODULES)
def test_dependencies_run_one_way(module: str) -> None:
    own = entry(module, ALLOWED)
    for imported in imports(MODULES[module]):
        if imported.split(".")[0] in PACKAGES:
            allowed = (own, *ALLOWED[own], *EVERYBODY)
            assert any(imported == name or imported.startswith(f"{name}.") for name in allowed), (
                f"{module} imports {imported}; it may import {', '.join(allowed)}"
            )
        for heavy in HEAVY:
            if imported.split(".")[0] == heavy:
                assert module.startswith(HOMES[heavy]), f"{module} imports {heavy}"
                assert not module.startswith("edgemoe_golden.ops"), f"{module} imports {heavy}"


@pytest.mark.parametrize("name", sorted({*ALLOWED, *(home for homes in HOMES.values() for home in homes)}))
def test_the_rules_name_modules_that_exist(name: str) -> None:
    assert any(module.startswith(name) for module in MODULES), f"no module begins with {name}"


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_small(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= 300, f"{MODULES[module]}: {lines} lines; split it by purpose"


def test_docstrings_are_data_for_nobody_but_help_texts() -> None:
    """`python -OO` drops them: only the description of a command may be one."""
    for folder in ("host", "golden", "benchmarks", "sim"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            helps = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg in HELPS}
            for node in ast.walk(tree):
                if "__doc__" in (getattr(node, "id", None), getattr(node, "attr", None)):
                    assert id(node) in helps, f"{path.relative_to(ROOT)}:{node.lineno}: a docstring used as data"


def test_an_error_is_no_reason_to_skip_but_what_is_missing_here() -> None:
    """A test that skips whatever goes wrong cannot fail."""
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for handler in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(handler, ast.ExceptHandler) and "pytest.skip(" in ast.unparse(handler):
                caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
                names = {ast.unparse(each) for each in caught if each is not None} or {"anything"}
                found += [f"{path.relative_to(ROOT)}:{handler.lineno}: {name}" for name in sorted(names - MISSING_HERE)]
    assert found == []


PROGRAMS = [
    path.relative_to(ROOT)
    for folder in ("host", "golden", "benchmarks", "sim", "tests/checks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8") or path.name == "__main__.py"
]


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_programs_print_on_any_terminal(program: Path) -> None:
    """A benchmark must not end after minutes because a terminal lacks a `×`."""
    assert "accept_all_text()" in (ROOT / program).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "module", ["edgemoe.session", "edgemoe.cli", "edgemoe.devices.golden", "edgemoe_golden.scenes"]
)
def test_the_light_path_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_are_fresh(name: str) -> None:
    path = ROOT / name
    assert path.is_file(), f"{name} is missing; run `make generate`"
    assert path.read_text(encoding="utf-8") == GENERATED[name], f"{name} is stale; run `make generate`"


def test_no_stray_generated_file_is_left() -> None:
    """A configuration that is gone leaves no header behind; in include/ there are headers written by hand, too."""
    there = {
        str(path.relative_to(ROOT))
        for folder in ("bitstreams", "hls", "rtl")
        for path in (*ROOT.glob(f"{folder}/generated/*/*"), *ROOT.glob(f"{folder}/include/*"))
        if path.parent.name != "include" or "Generated" in path.read_text(encoding="utf-8").partition("\n")[0]
    }
    assert there == {name for name in GENERATED if "/generated/" in name or "/include/" in name}

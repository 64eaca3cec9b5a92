"""What single modules take, from build/reports/area.json as `make area` writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

AREA = Path("build/reports/area.json")
NAMES = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM36": "bram36"}
# The multipliers with what feeds them and sums them up, without softmax, which stands inside a lane.
ARRAY_MODULES = ("matmul", "matmul_lane", "dot_product", "stagger", "pack_weights")


@dataclass(frozen=True)
class Area:
    """One shape. modules: module → (instances, resources of all of them without what is inside them)."""

    modules: dict[str, tuple[int, dict[str, float]]]

    def times(self, module: str, count: int) -> dict[str, float]:
        """So many instances more of a module, the mean of those there are."""
        instances, used = self.modules[module]
        return {name: round(value * count / instances, 1) for name, value in used.items()}

    def array(self, count: int) -> dict[str, float]:
        """So many arrays more."""
        parts = [self.modules[module][1] for module in ARRAY_MODULES if module in self.modules]
        return {name: count * sum(part[name] for part in parts) for name in NAMES}


def load_area(hardware: str, path: Path = AREA) -> Area | None:
    """The shape's figures; None while `make area` has not been run."""
    if not path.is_file():
        return None
    shapes = {shape["hardware"]: shape for shape in json.loads(path.read_text(encoding="utf-8"))}
    if hardware not in shapes:
        return None
    modules = {}
    for row in shapes[hardware]["modules"]:
        modules[row["module"]] = row["instances"], {name: row["used"][key] for name, key in NAMES.items()}
    return Area(modules)

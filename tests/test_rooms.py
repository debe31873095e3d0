"""The structure of the package: rooms import downwards alone, no module in a circle, nothing heavy at the door."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import pixelseq

PACKAGE = Path(__file__).parents[1] / "pixelseq"
FLOORS = [
    {"pixel_format", "runtime", "kernels"},
    {"layers", "imaging"},
    {"model"},
    {"generation", "data"},
    {"training"},
]
"""Rooms from below; those of one floor do not know each other."""
HEAVY = ("numba", "PIL", "datasets", "matplotlib", "pydantic", "accelerate", "sklearn", "pyarrow", "tyro", "skimage")


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, those inside functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("pixelseq.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "pixelseq":
            found |= {f"pixelseq.{pixelseq._MODULES.get(alias.name, alias.name)}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pixelseq."):
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if file_of(name) else node.module for name in modules}
    return found


def file_of(name: str) -> Path | None:
    path = PACKAGE.parent / name.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_room_has_a_floor() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert rooms == set().union(*FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_from_its_own_room_and_from_floors_below(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    floor = next(k for k, rooms in enumerate(FLOORS) if room in rooms)
    allowed = {room}.union(*FLOORS[:floor])
    assert {name.split(".")[1] for name in imports(path)} <= allowed


def test_no_module_is_in_a_circle() -> None:
    graph = {name_of(path): imports(path) - {name_of(path)} for path in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError


def loaded_after(code: str) -> set[str]:
    code += "\nimport json, sys; print(json.dumps([name for name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_nothing_heavy_is_loaded_until_it_is_used() -> None:
    assert not loaded_after("import pixelseq").intersection((*HEAVY, "torch"))
    code = "import pixelseq; [getattr(pixelseq, name) for name in pixelseq.__all__ if name != 'to_picture']"
    assert not loaded_after(code).intersection(HEAVY)  # a picture is Pillow's


def test_the_package_says_its_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", pixelseq.__version__)


SCRIPTS = ["train/run.py", "train/evaluate.py", "sample/run.py", "sample/complete.py", "sample/redraw.py"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_loads_little(script: str) -> None:
    path = PACKAGE.parent / script
    code = f"import runpy, sys\nsys.argv = [{str(path)!r}, '--help']\n"
    code += f"try: runpy.run_path({str(path)!r}, run_name='__main__')\nexcept SystemExit: pass"
    heavy = {"numba", "datasets", "matplotlib", "accelerate", "sklearn", "skimage", "torch.distributed.checkpoint"}
    assert not loaded_after(code).intersection(heavy)

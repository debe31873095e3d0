"""The pages' commands and Python run as they stand, one page after the other in a folder that holds the scripts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
RUN = ["README.md", "train/README.md", "sample/README.md", "pixelseq/data/README.md"]
"""Pages whose commands are run; later ones take what earlier ones leave."""
PAGES = [*RUN, "pixelseq/README.md", "pixelseq/kernels/README.md", "tests/README.md"]
INSTALL = ("git clone", "cd ", "pip install", "python -m pytest", "ruff", "mypy")
FEW_STEPS = " --steps 3 --batch-size 8 --model.hidden 4"
OWN = "--data my/"
"""Marks the commands on a user's own images, which the test makes: only that they run is of interest."""


def blocks(page: str, language: str) -> list[str]:
    """The code of a page."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def runnable() -> list[str]:
    commands = [line for page in RUN for block in blocks(page, "bash") for line in block.splitlines()]
    return [command for command in commands if command and not command.startswith(("#", *INSTALL))]


def run_all(folder: Path) -> dict[str, dict[str, float]]:
    """Runs them all; returns the JSON line of each training by its command."""
    results = {}
    for name in ("train", "sample"):
        (folder / name).symlink_to(ROOT / name)
    write_own_images(folder / "my")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    for command in runnable():
        line = command + FEW_STEPS if OWN in command else command
        done = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        if "train/run.py" in command and OWN not in command:
            results[command] = json.loads(done.stdout.splitlines()[-1])
    for code in [code for page in RUN for code in blocks(page, "python")]:
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{code}\n{done.stderr}"
    return results


def write_own_images(folder: Path) -> None:
    (folder / "pictures").mkdir(parents=True)
    for k in range(6):
        Image.linear_gradient("L").resize((20 + k, 30 - k)).save(folder / f"pictures/{k}.png")
    Image.linear_gradient("L").resize((200, 100)).convert("RGB").save(folder / "photo.jpg")
    maps = [[[(k + i) % 3, 1, 0, 2] for i in range(5 + k)] for k in range(6)]
    (folder / "maps.jsonl").write_text("\n".join(json.dumps({"tiles": tiles}) for tiles in maps))
    (folder / "levels").mkdir()
    for k, tiles in enumerate(maps):
        lines = ["".join("#-o"[tile] for tile in row) for row in tiles]
        (folder / f"levels/{k}.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_commands_run_as_they_stand(tmp_path: Path) -> None:
    assert sum(OWN in command for command in runnable()) == 4
    assert all(blocks(page, "python") for page in ("README.md", "sample/README.md", "pixelseq/data/README.md"))
    results = run_all(tmp_path)
    digits, columns = (results[f"python train/run.py{preset}"] for preset in ("", " digit_columns"))
    assert digits["test_bits_per_dim"] < 1.75
    # Nothing in the model knows the row's number: taller columns than any it was trained on cost the same.
    assert columns["columns_of_12_bits_per_dim"] == pytest.approx(columns["columns_of_6_bits_per_dim"], rel=0.03)
    assert columns["columns_of_12_bits_per_dim"] < 1.85


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_exists(page: str) -> None:
    for name in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / name).exists(), name


@pytest.mark.parametrize("page", PAGES)
def test_a_module_that_a_page_names_exists(page: str) -> None:
    """In backticks, by its path from the root, the package, the tests, or the page's own folder."""
    folders = [ROOT, ROOT / "pixelseq", ROOT / "tests", (ROOT / page).parent]
    prose = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for name in re.findall(r"`([\w/]+\.py)`", prose):
        assert any((folder / name).exists() for folder in folders), name


@pytest.mark.parametrize("page", PAGES)
def test_no_figure_is_left_open(page: str) -> None:
    assert not re.search(r"\b(TRAINING|SAMPLING|PARTICLES|TODO|DIFF)\b", (ROOT / page).read_text())


def test_the_first_page_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 8000

"""The guide to a new layer: its diff, applied to a copy of the package, gives a layer that trains, steps, compiles."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECK = """
import sys
import torch
from helpers import small_model
from relations import reached, relation, residual
import pixelseq
from pixelseq.generation.compiled import CompiledModel, CompiledWalker
from pixelseq.generation.engine import StepWalker, Stretch
from pixelseq.layers import BLOCKS, ResidualBlock

assert pixelseq.__file__.startswith(sys.argv[1])
torch.manual_seed(0)
layer = BLOCKS["above"](6, 3).double()
above = relation(3, 4, lambda i, j, y, x: (y, x) == (i - 1, j))
assert torch.equal(reached(layer, (1, 3, 4, 6)), above)
assert torch.equal(reached(ResidualBlock(layer, 3).double(), (1, 3, 4, 6)), residual(above))
N, H, W = 2, 4, 5
model = small_model(2.0, levels=5, hidden=20, blocks=("above", "diagonal", "above"))
images = torch.randint(5, (N, 1, H, W))
expected = model.nll(images).detach().movedim(1, -1)
start = lambda: model.init_state(N, W)
for walker in (StepWalker(model, start()), CompiledWalker.start(CompiledModel(model, W), start())):
    for i in range(H):
        known, uniform = torch.ones(N, W, dtype=torch.bool), torch.zeros(N, W, 1, dtype=torch.float64)
        _, nats = walker.walk(Stretch(uniform, given=images[:, :, i].movedim(1, -1), known=known, scored=True))
        torch.testing.assert_close(nats, expected[:, i], rtol=1e-10, atol=1e-10)
model.nll(images).sum().backward()
assert all(parameter.grad is not None for parameter in model.parameters())
"""


@pytest.mark.slow
def test_the_diff_of_the_guide_is_a_layer(tmp_path: Path) -> None:
    guide = re.search(r"```diff\n(.*?)```", (ROOT / "pixelseq/README.md").read_text(), re.DOTALL)
    assert guide is not None
    shutil.copytree(ROOT / "pixelseq", tmp_path / "pixelseq", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "guide.diff").write_text(guide[1])
    subprocess.run(["git", "apply", "--unidiff-zero", "guide.diff"], cwd=tmp_path, check=True)
    (tmp_path / "check.py").write_text(CHECK)
    path = os.pathsep.join([str(tmp_path), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "check.py", str(tmp_path)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

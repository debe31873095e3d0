"""The measures of the benchmark of tile maps, on maps small enough to count by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.bench_levels import Seen, chain, pair_counts

from pixelseq import ModelConfig, PixelFormat, PixelRNN

MAP = np.array([[0, 1, 1], [2, 0, 1]], np.uint8)


def test_pairs_are_counted_left_to_right() -> None:
    assert pair_counts(MAP, 3).tolist() == [[0, 2, 0], [0, 1, 0], [1, 0, 0]]


def test_rows_and_pairs_that_occur_nowhere() -> None:
    seen = Seen([MAP], 3)
    assert (seen.new_rows([MAP]), seen.invalid_pairs([MAP])) == (0, 0)
    other = np.array([[2, 0, 1], [0, 1, 2]], np.uint8)
    assert seen.new_rows([other]) == 0.5
    # Beside: 2-0, 0-1, 0-1 occur and 1-2 does not; below: none of 2-0, 0-1 and 1-2 does (0-2, 1-0 and 1-1 do).
    assert seen.invalid_pairs([other]) == pytest.approx(4 / 7)
    assert seen.invalid_pairs([MAP[:1], other]) == pytest.approx(4 / 9)  # counts are added, not shares


def test_a_chain_has_the_frequencies_of_its_maps() -> None:
    drawn = chain([MAP], 3, 40_000, 3, np.random.Generator(np.random.Philox(0)))
    assert np.mean(drawn[:, 0] == 0) == pytest.approx(0.5, abs=0.01)  # first columns: 0 and 2
    assert ((drawn[:, 0] == 0) | (drawn[:, 0] == 2)).all()
    assert (drawn[:, 1:][drawn[:, :-1] == 0] == 1).all()
    assert (Seen([MAP], 3).beside[drawn[:, :-1], drawn[:, 1:]]).all()


def test_a_level_without_a_right_neighbour_is_followed_by_any() -> None:
    drawn = chain([np.array([[0, 1]], np.uint8)], 2, 10_000, 3, np.random.Generator(np.random.Philox(0)))
    assert (drawn[:, :2] == [0, 1]).all()
    assert drawn[:, 2].mean() == pytest.approx(0.5, abs=0.02)


def test_the_last_line_is_json(tmp_path: Path) -> None:
    random = np.random.Generator(np.random.Philox(3))
    lines = [json.dumps({"tiles": random.integers(3, size=(5 + k, 4)).tolist()}) for k in range(6)]
    (tmp_path / "maps.jsonl").write_text("\n".join(lines))
    PixelRNN(ModelConfig(PixelFormat(1, 3, "categorical"), hidden=4, blocks=())).save_pretrained(tmp_path / "m")
    script = Path(__file__).parents[1] / "benchmarks/bench_levels.py"
    arguments = ["--checkpoint", tmp_path / "m", "--data", tmp_path / "maps.jsonl"]
    environment = {**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, script, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["height"] in (2 * 8, 2 * 9, 2 * 10)
    assert result["width"] == 4
    for name in ("model", "chain_given_left", "chain_given_above"):
        assert result[name]["rows"] == result["height"]
        assert 0 <= result[name]["invalid_pairs"] < 1
    assert 11 <= result["held_out"]["rows"] <= 19

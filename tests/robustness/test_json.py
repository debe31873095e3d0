"""JSON that is deep, huge, no number or said twice: a line, wherever JSON is read; none ends the process."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import small_config, small_model
from mutations import FEW_OR_MANY, attack, in_a_child

from pixelseq import PixelRNN
from pixelseq.data import DataOptions, load
from pixelseq.data.json_files import MAX_DEPTH, load_json
from pixelseq.imaging.legend import LEGEND
from pixelseq.runtime.codec import from_plain, read_object, to_plain

DEEP = 100_000
ROW = '{"tiles": [[0, 1], [1, 0]]}'
LISTS, OBJECTS = "[" * DEEP + "]" * DEEP, '{"a": ' * DEEP + "1" + "}" * DEEP
HOSTILE = {
    "lists": LISTS,
    "objects": OBJECTS,
    "lists that do not end": "[" * DEEP,
    "lists by lines": "[\n" * DEEP + "]\n" * DEEP,
    "after a quote too many": '"\n' + LISTS,
    "after ends without a beginning": "]" * DEEP + "\n" + LISTS,
    "after a quote in a text": '{"a": "\\\\\\"", "tiles": ' + LISTS + "}",
    "a huge number": '{"tiles": [[1, %s]]}' % ("9" * 5000),
    "no number": '{"tiles": [[1, NaN]]}',
    "beyond all numbers": '{"tiles": [[1, 1e999]]}',
    "a name twice": '{"tiles": [[1]], "tiles": [[2]]}',
    "half a character": '{"tiles": "ab\\ud800\\nabc"}',
    "nothing": "",
    "a number": "3",
    "a zero": ROW + "\n\0",
}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    import datasets

    datasets.disable_progress_bars()


@pytest.mark.parametrize(("name", "before"), [*((name, 0) for name in HOSTILE), ("lists", 6), ("objects", 6)])
def test_hostile_rows_are_a_line(name: str, before: int, tmp_path: Path) -> None:
    path = tmp_path / "maps.jsonl"
    path.write_text((ROW + "\n") * before + HOSTILE[name] + "\n")

    def run(_: Callable[[int], None]) -> None:
        for streaming in (False, True):
            with pytest.raises(ValueError, match=r"maps.jsonl") as caught:
                load(DataOptions(str(path), streaming=streaming, levels=9))
            assert "\n" not in str(caught.value)

    in_a_child(run)


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_depth_is_that_of_brackets_outside_texts(depth: int, tmp_path: Path) -> None:
    path = tmp_path / "maps.jsonl"
    row = '{"map": ["[[[[[{{", "\\"[[{{{\\\\"], "more": ' + "[" * (depth - 1) + "1" + "]" * (depth - 1) + "}\n"
    path.write_text(row * 100)
    if depth > MAX_DEPTH:
        with pytest.raises(ValueError, match=rf"maps.jsonl cannot be read: its values lie more than {MAX_DEPTH} deep"):
            load_json({"train": [str(path)]})
    else:
        assert load_json({"train": [str(path)]})["train"][99]["map"] == ["[[[[[{{", '"[[{{{\\']


@pytest.mark.parametrize("streaming", [False, True])
def test_an_archive_under_the_name_of_json_is_not_unpacked(streaming: bool, tmp_path: Path) -> None:
    path = tmp_path / "maps.jsonl"
    path.write_bytes(gzip.compress((ROW + "\n").encode() * 6))
    with pytest.raises(ValueError, match=r"maps.jsonl cannot be read: it holds no JSON objects"):
        load(DataOptions(str(path), streaming=streaming, levels=2))


@pytest.mark.parametrize("name", ["maps[1]", "m*ps", "[maps]"])
def test_names_of_files_are_no_patterns(name: str, tmp_path: Path) -> None:
    (tmp_path / "maps.jsonl").write_text('{"tiles": [[8, 8]]}\n' * 6)
    (tmp_path / f"{name}.jsonl").write_text((ROW + "\n") * 6)
    assert load(str(tmp_path / f"{name}.jsonl")).pixel_format.levels == 2


LEGENDS = [text for text in HOSTILE.values() if not text.startswith('{"tiles"')]


@pytest.mark.parametrize(
    "text", [*LEGENDS, '{"tiles": ["a", "\\ud800"]}', '{"maps": 1e999}'], ids=lambda text: text[:20]
)
def test_hostile_legends_are_a_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "maps.txt").write_text("ab\nba\n\n" * 4)
    (tmp_path / LEGEND).write_text(text)
    with pytest.raises(ValueError, match=LEGEND) as caught:
        load(str(tmp_path / "maps.txt"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_configurations_are_a_line(name: str, tmp_path: Path) -> None:
    small_model().save_pretrained(tmp_path / "net")
    path = tmp_path / "net/config.json"
    path.write_text(HOSTILE[name])
    with pytest.raises(ValueError, match=r"config.json") as caught:
        PixelRNN.from_pretrained(tmp_path / "net")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_no_field_is_nan_or_infinite(number: str) -> None:
    config = small_config()
    plain = to_plain(config)
    names = [name for name, value in plain.items() if isinstance(value, float)]
    for name in [*names, "hidden"]:
        text = json.dumps(plain | {name: "NUMBER"}).replace('"NUMBER"', number)
        with pytest.raises(ValueError, match=r"^it: .*(not JSON compliant|valid integer)"):
            from_plain(type(config), read_object(text, "it"), "it")


@FEW_OR_MANY
@pytest.mark.parametrize("text", ['{"set": {"tiles": ["a", "b", "c"]}}', '{"tiles": ["a", "b"]}'])
def test_damaged_legends_are_refused_or_harmless(text: str, times: int, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "maps.txt").write_text("ab\nba\n\n" * 4)
    (folder / LEGEND).write_text(text)
    attack(folder / LEGEND, 30 * times, lambda: load(str(folder)), lambda data: data.pixel_format.levels > 1)

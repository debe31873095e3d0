"""A data set of the hub, from a stand-in for the hub: a server on this machine that knows one data set."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import datasets
import pytest
from PIL import Image

NAME = "someone/shades"
COMMIT = "1" * 40
LOAD = """
import json, sys
import datasets
from pixelseq.data import DataOptions, load, training_batches
datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0
for name in sys.argv[2:]:
    try:
        data = load(DataOptions(name, streaming=sys.argv[1] == "stream"))
        batch = next(training_batches(data.train, 4, seed=0))
        shades = [sorted(int(image[0, 0, 0]) for image in part) for part in (batch, data.validation, data.test)]
        print(json.dumps([*shades, list(data.class_names), list(data.notes)]))
    except ValueError as error:
        print(error)
"""


class Hub(BaseHTTPRequestHandler):
    """Answers what datasets asks of the hub for a data set of parquet files."""

    files: dict[str, bytes]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        entries = [{"type": "file", "path": name, "size": len(self.files[name]), "oid": name} for name in self.files]
        resolved = re.fullmatch(f"/datasets/{NAME}/resolve/{COMMIT}/(.+)", path)
        if path in ("/", f"/api/datasets/{NAME}", f"/api/datasets/{NAME}/revision/{COMMIT}"):
            siblings = [{"rfilename": name} for name in self.files]
            self.answer(json.dumps({"id": NAME, "sha": COMMIT, "siblings": siblings}).encode())
        elif path == f"/api/datasets/{NAME}/tree/{COMMIT}":
            self.answer(json.dumps(entries).encode())
        elif resolved and resolved[1] in self.files:
            self.answer(self.files[resolved[1]], name=resolved[1])
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if NAME in path else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_HEAD = do_GET

    def answer(self, content: bytes, name: str = "json") -> None:
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.send_response(206 if part else 200)
        if part:
            content = content[int(part[1]) : int(part[2]) + 1]
        self.send_header("ETag", f'"{name}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Is silent."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a process that takes the stand-in for the hub."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["dark", "light"])})
    Hub.files = {}
    for split, shades in (("train", range(4)), ("validation", range(50, 53)), ("test", range(100, 105))):
        rows = {"image": [Image.new("L", (3, 2), shade) for shade in shades], "label": [0] * len(shades)}
        file = tmp_path / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_dict(rows, features=features).to_parquet(file)
        Hub.files[file.name] = file.read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    paths = {"HF_HOME": str(tmp_path / "home"), "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    reached = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "NO_PROXY": "127.0.0.1"}
    yield os.environ | paths | reached
    server.shutdown()
    server.server_close()


def loaded(environment: dict[str, str], *arguments: str) -> list[str]:
    """What `LOAD` prints."""
    run = subprocess.run([sys.executable, "-c", LOAD, *arguments], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_a_data_set_of_the_hub_and_what_was_downloaded_without_it(hub: dict[str, str]) -> None:
    found, unknown = loaded(hub, "whole", NAME, "someone/else")
    assert json.loads(found) == [[0, 1, 2, 3], [50, 51, 52], [100, 101, 102, 103, 104], ["dark", "light"], []]
    assert unknown.startswith("no file or folder someone/else here, and the hub gave no data set of that name")
    assert loaded(hub | {"HF_HUB_OFFLINE": "1"}, "whole", NAME) == [found]


def test_a_stream_of_the_hub(hub: dict[str, str]) -> None:
    (found,) = loaded(hub, "stream", NAME)
    assert json.loads(found) == [[0, 1, 2, 3], [50, 51, 52], [100, 101, 102, 103, 104], [], []]

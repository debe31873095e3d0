"""The project's scripts, run as a user runs them: in a process of their own, or, quicker, in the test's."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--")
"""Two processes."""


class Outcome(NamedTuple):
    """How a script ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def in_process(folder: Path, script: str, *arguments: object) -> Outcome:
    """Calls a script's main in `folder`; what it tells accelerate of processes is forgotten."""
    from accelerate.state import AcceleratorState

    code = 0
    out, err = io.StringIO(), io.StringIO()
    module = load_script(script)
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            module.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            AcceleratorState._reset_state(reset_partial_state=True)
    return Outcome(code, out.getvalue(), err.getvalue())


def in_own_process(folder: Path, script: str, *arguments: object, launcher: tuple[str, ...] = ()) -> Outcome:
    """Runs a script in `folder`, by itself or by a launcher."""
    command = [sys.executable, *launcher, str(ROOT / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    return Outcome(done.returncode, done.stdout, done.stderr)


def load_script(script: str) -> ModuleType:
    """A script as a module."""
    name = script.removesuffix(".py").replace("/", "_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / script)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]

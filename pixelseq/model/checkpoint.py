"""The checkpoint folder: config.json, model.safetensors, README.md. Nothing in it is ever unpickled."""

from __future__ import annotations

import re
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from pixelseq.model.config import ModelConfig
from pixelseq.model.hub import download
from pixelseq.runtime.files import atomic_folder

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
RUNS = Path("runs")
"""The folder where training leaves its runs."""
CHECKPOINT = "checkpoint"
"""The name of the checkpoint folder inside a run's folder."""
BUNDLED = Path(__file__).parents[1] / "weights"
"""The folder of the models that come with the package, with one checkpoint folder per model."""

CARD_HEADING = """---
library_name: pixelseq
tags: [pixelrnn, autoregressive, image-generation]
---
# A PixelRNN

Trained with pixelseq. Load it with `pixelseq.PixelRNN.from_pretrained(folder)`.
"""


def save(folder: Path, config: ModelConfig, weights: dict[str, Tensor], card: str) -> None:
    """Writes a checkpoint folder beside `folder`, then renames it.

    Raises:
        ValueError: `folder` exists and holds anything but a checkpoint.
    """
    folder = folder.resolve()
    if folder.exists() and not _is_ours(folder):
        raise ValueError(f"{folder} exists and holds more than a checkpoint; choose another folder")
    with atomic_folder(folder) as beside:
        (beside / CONFIG).write_text(config.to_json())
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
        (beside / WEIGHTS).write_bytes(safetensors.torch.save(contiguous))
        (beside / CARD).write_text(f"{CARD_HEADING}\n{card.strip()}\n" if card.strip() else CARD_HEADING)


def load(name: str | Path, revision: str | None = None) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Reads the checkpoint that a name stands for (see `PixelRNN.from_pretrained`).

    Raises:
        FileNotFoundError: there is no checkpoint of that name, or one of its files is missing.
        ValueError: one of its files does not hold what it should.
    """
    folder = _find(name, revision)
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder} is no checkpoint: it has no {file}")
    try:
        config = ModelConfig.from_json((folder / CONFIG).read_text())
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder / CONFIG}: {error}") from error
    try:
        return config, safetensors.torch.load((folder / WEIGHTS).read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged or truncated: {error}") from error


def check_weights(expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    """Raises ValueError where the weights are not those of the configured model."""
    if missing := sorted(expected.keys() - found.keys()):
        raise ValueError(f"the checkpoint's weights lack {', '.join(missing)}")
    if unknown := sorted(found.keys() - expected.keys()):
        raise ValueError(f"the checkpoint's weights have unknown names: {', '.join(unknown)}")
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            shapes = f"{list(found[name].shape)}; its config.json asks for {list(tensor.shape)}"
            raise ValueError(f"the checkpoint's {name} is {shapes}")
        if not found[name].isfinite().all():
            raise ValueError(f"the checkpoint's {name} has values that are not finite")


def newest(runs: Path = RUNS) -> Path:
    """Finds the run below `runs` whose checkpoint was written last.

    Raises:
        FileNotFoundError: no run has a checkpoint.
    """
    configs = sorted(runs.glob(f"*/{CHECKPOINT}/{CONFIG}"), key=lambda path: path.stat().st_mtime)
    if not configs:
        raise FileNotFoundError(
            f"no trained model below {runs}/; train one (accelerate launch train/run.py) or name one with `checkpoint`"
        )
    return configs[-1].parents[1]


def _is_ours(folder: Path) -> bool:
    """Tells whether a folder can be replaced without loss: it holds nothing but a checkpoint's files, or nothing."""
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= {CONFIG, WEIGHTS, CARD}


def _find(name: str | Path, revision: str | None) -> Path:
    folder = Path(name)
    if folder.is_dir():
        inside = folder / CHECKPOINT
        return inside if inside.is_dir() and not (folder / CONFIG).exists() else folder
    if (BUNDLED / str(name) / CONFIG).is_file():
        return BUNDLED / str(name)
    # A hub id is owner/name; where "owner" is a folder here, or that of the runs, a mistyped path is likelier.
    hub_id = re.fullmatch(r"([\w-][\w.-]*)/[\w.-]+", str(name))
    if not hub_id or folder.parent.exists() or hub_id[1] == RUNS.name:
        bundled = ", ".join(sorted(path.name for path in BUNDLED.iterdir()))
        raise FileNotFoundError(f"no checkpoint folder {name}; a model that comes with pixelseq: {bundled}")
    return download(str(name), revision, [CONFIG, WEIGHTS, CARD])

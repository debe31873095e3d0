"""The checkpoint folder: config.json, model.safetensors, README.md. Nothing in it is ever unpickled."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from pixelseq.model.config import ModelConfig
from pixelseq.model.hub import download
from pixelseq.model.trained_on import TrainedOn
from pixelseq.runtime.codec import from_plain, read_object, to_plain, to_sealed, unsealed
from pixelseq.runtime.files import atomic_folder
from pixelseq.runtime.names import as_path, bundled_name

FORMAT_VERSION = 8
"""The version of config.json: 7 had no condition images, 6 no texts, 5 no conditions, orders and digest of itself, 4 no
digest of the weights and no record of what they were trained on, 3 no pixel format."""
UNCONDITIONAL = {"classes": 0, "class_names": [], "vector_features": 0, "orders": 1, "condition_dropout": 0.0}
"""The fields that format versions before 6 lack."""
WITHOUT_TEXTS = {"text_encoder": ""}
"""The fields that format versions before 7 lack."""
WITHOUT_IMAGES = {"context": None}
"""The fields that format versions before 8 lack."""

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
RUNS = Path("runs")
"""The folder where training leaves its runs."""
CHECKPOINT = "checkpoint"
"""The name of the checkpoint folder inside a run's folder."""
BUNDLED = Path(__file__).parents[1] / "weights"
"""The folder of the models that come with the package, with one checkpoint folder per model."""

log = logging.getLogger(__name__)

CARD_HEADING = """---
library_name: pixelseq
tags: [pixelrnn, autoregressive, image-generation]
---
# A PixelRNN

Trained with pixelseq. Load it with `pixelseq.PixelRNN.from_pretrained(folder)`.
"""


def save(
    folder: Path, config: ModelConfig, trained_on: TrainedOn | None, weights: dict[str, Tensor], card: str
) -> None:
    """Writes a checkpoint folder beside `folder`, then renames it.

    Raises:
        ValueError: `folder` exists and holds anything but a checkpoint.
    """
    folder = folder.resolve()
    if folder.exists() and not _is_ours(folder):
        raise ValueError(f"{folder} exists and holds more than a checkpoint; choose another folder")
    with atomic_folder(folder) as beside:
        content = safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
        (beside / WEIGHTS).write_bytes(content)
        (beside / CONFIG).write_text(config_to_json(config, trained_on, hashlib.sha256(content).hexdigest()))
        (beside / CARD).write_text(f"{CARD_HEADING}\n{card.strip()}\n" if card.strip() else CARD_HEADING)


def load(name: str | Path, revision: str | None = None) -> tuple[ModelConfig, TrainedOn | None, dict[str, Tensor]]:
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
        config, trained_on, digest = config_from_json((folder / CONFIG).read_bytes())
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder / CONFIG}: {error}") from error
    content = (folder / WEIGHTS).read_bytes()
    if digest is None:
        log.warning("%s is of an older pixelseq, without a digest: damage of its weights would not be seen", folder)
    elif digest != hashlib.sha256(content).hexdigest():
        raise ValueError(f"{folder / WEIGHTS} is damaged or truncated: it has not the digest that {CONFIG} has for it")
    try:
        return config, trained_on, safetensors.torch.load(content)
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged or truncated: {error}") from error


def config_to_json(config: ModelConfig, trained_on: TrainedOn | None, digest: str) -> str:
    """Writes the text of a config.json; `digest` is the SHA-256 of the weights' file."""
    more = {"trained_on": None if trained_on is None else to_plain(trained_on), "sha256": digest}
    return to_sealed({"format_version": FORMAT_VERSION, **to_plain(config), **more})


def config_from_json(text: str | bytes) -> tuple[ModelConfig, TrainedOn | None, str | None]:
    """Reads what `config_to_json` wrote, now or in format versions 3 to 7; 3 and 4 have no record and no digest.

    Raises:
        ValueError: the text is not JSON, damaged or of another format version, or a field is unknown, missing or
            invalid.
    """
    what = "the configuration"
    values = read_object(text, what)
    version = values.get("format_version")
    if not isinstance(version, int) or not 3 <= version <= FORMAT_VERSION:
        raise ValueError(
            f"{what} has format_version {version!r}; this pixelseq reads 3 to {FORMAT_VERSION}: "
            "install the version of pixelseq that wrote it"
        )
    if version >= 6:
        values = unsealed(values, what)
    del values["format_version"]
    if version == 3:
        values = _from_version_3(values)
    if version < 6:
        values = UNCONDITIONAL | values
    if version < 7:
        values = WITHOUT_TEXTS | values
    if version < 8:
        values = WITHOUT_IMAGES | values
    record = digest = None
    if version >= 5:
        if missing := sorted({"trained_on", "sha256"} - values.keys()):
            raise ValueError(f"{what}: these fields are unknown or missing: {', '.join(missing)}")
        record, digest = values.pop("trained_on"), values.pop("sha256")
        if not isinstance(digest, str):
            raise ValueError(f"{what}: sha256 is {digest!r}; expected a text")
    trained_on = None if record is None else from_plain(TrainedOn, record, f"{what}'s trained_on")
    return from_plain(ModelConfig, values, what), trained_on, digest


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
            f"no trained model below {runs}/; train one (python train/run.py) or name one with `checkpoint`"
        )
    return configs[-1].parents[1]


def _from_version_3(values: dict[str, Any]) -> dict[str, Any]:
    """Renames the fields of version 3, which had no pixel format and called the head softmax categorical."""
    renamed = {"channels": "channels", "levels": "levels", "pixels": "kind", "legend": "legend"}
    pixel_format = {renamed[name]: values.pop(name) for name in list(values) if name in renamed}
    if values.get("head") == "categorical":
        values["head"] = "softmax"
    return {"pixel_format": pixel_format, **values}


def _is_ours(folder: Path) -> bool:
    """Tells whether a folder can be replaced without loss: it holds nothing but a checkpoint's files, or nothing."""
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= {CONFIG, WEIGHTS, CARD}


def _find(name: str | Path, revision: str | None) -> Path:
    bundled = sorted(path.name for path in BUNDLED.iterdir())
    if isinstance(name, str) and (found := bundled_name(name, bundled)) is not None:
        return BUNDLED / found
    folder = as_path(name)
    if folder.is_dir():
        inside = folder / CHECKPOINT
        return inside if inside.is_dir() and not (folder / CONFIG).exists() else folder
    # A hub id is owner/name; where "owner" is a folder here, or that of the runs, a mistyped path is likelier.
    hub_id = re.fullmatch(r"([\w-][\w.-]*)/[\w.-]+", str(name))
    if not hub_id or folder.parent.exists() or hub_id[1] == RUNS.name:
        models = ", ".join(bundled)
        raise FileNotFoundError(f"no checkpoint folder {name}; a model that comes with pixelseq: {models}")
    return download(str(name), revision, [CONFIG, WEIGHTS, CARD])

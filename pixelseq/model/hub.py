"""Models of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path


def download(name: str, revision: str | None, files: list[str]) -> Path:
    """Fetches files of a model, unless they are in the hub's cache.

    Args:
        name: the model's id, "owner/name".
        revision: a branch, tag or commit; the main branch by default.
        files: the names of the files.

    Returns:
        The folder that holds them.

    Raises:
        FileNotFoundError: the hub does not give them.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=files))
    except Exception as error:  # the hub client raises many unrelated kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FileNotFoundError(
            f"no folder {name} here, and the hub did not give a model of that name: {reason}"
        ) from error

"""Paths as people type them."""

from pathlib import Path

from reconciler.errors import ReconcilerError


def expanded(path: Path | str) -> Path:
    """Take a path and return it with `~` written out. Raises ReconcilerError when nobody knows where that home is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ReconcilerError(
            f"{path}: nobody knows where this home folder is: write the path out, or set HOME"
        ) from None

"""Inputs that once broke a reader: files in `corpus/`, by target."""

import hashlib
import traceback
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def names() -> list[str]:
    """`target/file` of all of them."""
    return sorted(str(file.relative_to(FOLDER)) for file in FOLDER.glob("*/*"))


def inputs(target: str) -> list[bytes]:
    """Those of one target."""
    return [file.read_bytes() for file in sorted((FOLDER / target).glob("*"))]


def keep(target: str, data: bytes) -> Path:
    """Add one; its path. Give it a name that says what it is."""
    file = FOLDER / target / hashlib.sha256(data).hexdigest()[:12]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def place_of(error: Exception) -> str:
    """What makes two failures the same: what was raised, and where in the product."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/reconciler/" in frame.filename]
    frames = frames or traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"

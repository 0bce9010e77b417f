"""The door to a file that others read at any time: it is replaced whole, and read back."""

import os
from contextlib import suppress
from pathlib import Path

from jsorc_gitops.errors import JsorcError


def read_textfile(path: Path) -> str:
    """What the file holds; "" where there is none, or none that can be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def write_textfile(path: Path, text: str) -> None:
    """Write beside it, then rename; raise JsorcError where that cannot be done, and leave it as it was."""
    # Its name does not end as those do that a collector reads.
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink()
        raise JsorcError(f"{path}: cannot be written: {error.strerror}") from error

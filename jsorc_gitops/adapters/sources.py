"""The door to what Python definitions were made from: whether that is as it was. Decides nothing.

Light, since a run that changes nothing comes here and goes no further.
"""

import hashlib
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jsorc_gitops.adapters.memo import is_older


def find_interpreter(root: Path, name: str) -> str:
    """The program a name stands for: looked up on PATH; a path begins at the repository."""
    # Not resolved: a virtual environment's Python is a link, and knows itself by its own name.
    if "/" in name:
        return str(root / name)
    import shutil

    return shutil.which(name) or name


def get_interpreter_stamp(root: Path, name: str) -> str:
    """What changes when an interpreter does: its place, size and time."""
    place = find_interpreter(root, name)
    with suppress(OSError):
        status = os.stat(place)  # noqa: PTH116 - a text
        return f"{place} {status.st_size} {status.st_mtime_ns}"
    return place


def read_sources(root: Path, names: Iterable[str], *, before: int | None = None) -> dict[str, str] | None:
    """A digest of each file, and of the names in each folder, which ends with "/"; "" for what is not there.

    None where that says nothing: of what is no regular file, or of a file that is not older than `before` (in
    nanoseconds), so that it may not be what was read.
    """
    found = {}
    for name in sorted(names):
        digest = _read_one(root / name, before=before, is_folder=name.endswith("/"))
        if digest is None:
            return None
        found[name] = digest
    return found


def _read_one(path: Path, *, before: int | None, is_folder: bool) -> str | None:
    try:
        if is_folder:
            content = b"\0".join(sorted(os.listdir(os.fsencode(path))))  # noqa: PTH208 - the names alone
        else:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or (before is not None and not is_older(status, before)):
                return None
            content = path.read_bytes()
    except OSError:
        return ""
    return hashlib.sha256(content).hexdigest()

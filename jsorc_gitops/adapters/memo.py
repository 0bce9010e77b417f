"""The door to what the last run left behind, and whether all is as it was then. Decides nothing.

Light, since a run that changes nothing comes here and goes no further.
"""

import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

# Inode, bytes, and when the content changed, in nanoseconds: what a file keeps when it is renamed.
Stamp = tuple[int, int, int]

# Times of files come from a clock that ticks a hundred times a second or more, on some file systems once in two
# seconds; a change within a tick of another does not show.
_TICK, _SLOW_TICK = 10_000_000, 2_000_000_000
_SECOND = 10**9

_PACKAGE = Path(__file__).parents[1]


class MemoFile:
    """What the last run on a folder left for the next one, in the user's cache; gone is no loss."""

    def __init__(self, cache: Path, root: Path, kind: str = "render") -> None:
        name = hashlib.sha256(str(root).encode()).hexdigest()[:32]
        self._path = cache / "jsorc" / f"{kind}-{name}.json"

    def read(self) -> str:
        """The text, empty where there is none or where somebody else owns it."""
        try:
            with self._path.open(encoding="utf-8") as source:
                return source.read() if os.fstat(source.fileno()).st_uid == os.getuid() else ""
        except (OSError, UnicodeDecodeError):
            return ""

    def write(self, text: str) -> None:
        scratch = self._path.with_suffix(f".{os.urandom(4).hex()}")
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                scratch.write_text(text, encoding="utf-8")
                scratch.replace(self._path)
            finally:
                scratch.unlink(missing_ok=True)


def get_program_stamp() -> str:
    """What changes when jsorc does, or Python, or what is installed beside it: sizes and times."""
    libraries = [os.stat(each) for each in sys.path if each.endswith("-packages")]  # noqa: PTH116 - texts
    ours = [status for name, status in _list_below(str(_PACKAGE), "") if name.endswith(".py")]
    return f"{sys.version} {[(each.st_size, each.st_mtime_ns) for each in (*libraries, *ours)]}"


def stamp_file(handle: int) -> Stamp:
    """The stamp of an open file."""
    status = os.fstat(handle)
    return status.st_ino, status.st_size, status.st_mtime_ns


def stamp_files(
    root: Path, names: Iterable[str], *, before: int | None = None, written: Mapping[str, Stamp] | None = None
) -> str | None:
    """A digest of everything below these folders, and of these files: where it lies, its inode, size and times.

    None where that says nothing: of links and pipes, and, with `before` (in nanoseconds), of a file that changed
    then or later, so that it may not be what was read. Files that were `written` since must be as they were
    stamped; and nothing may be younger than a tick of the clock, which this waits for.
    """
    written = written or {}
    digest = hashlib.sha256()
    if written:
        newest = max(changed for _, _, changed in written.values())
        time.sleep(max(0, newest + _TICK - time.time_ns()) / _SECOND)
    for name, status in _list_status(root, names):
        if stat.S_ISDIR(status.st_mode):
            digest.update(f"{name}/\0".encode(errors="surrogateescape"))
            continue
        if not stat.S_ISREG(status.st_mode):
            return None
        inode, size, changed, moved = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        if name in written:
            if written[name] != (inode, size, changed):
                return None
        elif before is not None and not is_older(status, before):
            return None
        digest.update(f"{name}\0{inode} {size} {changed} {moved}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def is_older(status: os.stat_result, before: int) -> bool:
    """Whether a file changed so long before a time (in nanoseconds) that a change since then would show."""
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    return changed + (_TICK if changed % _SECOND else _SLOW_TICK) <= before


def _list_status(root: Path, names: Iterable[str]) -> Iterator[tuple[str, os.stat_result]]:
    for name in names:
        with suppress(FileNotFoundError):
            status = os.stat(f"{root}/{name}", follow_symlinks=False)  # noqa: PTH116 - a text
            yield name, status
            if stat.S_ISDIR(status.st_mode):
                yield from _list_below(f"{root}/{name}", name)


def _list_below(folder: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        name, status = f"{prefix}/{entry.name}", entry.stat(follow_symlinks=False)
        yield name, status
        if stat.S_ISDIR(status.st_mode):
            yield from _list_below(entry.path, name)

"""What a Python definition is made from, as Python's audit events tell; python_child.py imports it.

It runs on Python 3.8 and newer, and knows the standard library alone.
"""

from __future__ import annotations

import os
import sys
from typing import Any

# What Python tells of before a definition gets to know something that is in no file.
_ELSEWHERE = {
    *("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "sqlite3.connect"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"),
}


class Reads:
    """What is read from now on; what the interpreter has installed, and does when imported, is passed over."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._packages = [each for each in sys.path[1:] if each.endswith("-packages")]
        own = os.path.dirname(os.__file__)  # noqa: PTH120
        archives = [
            each for each in sys.path if each.endswith(f"/python{''.join(map(str, sys.version_info[:2]))}.zip")
        ]
        self._libraries = _double([own, *archives, *self._packages])
        # What looks through all places of modules for one of them, or for what is said of one.
        self._searches = ("<frozen importlib", "<frozen zipimport", f"{own}/importlib/", f"{own}/pkgutil.py")
        here = os.path.dirname(__file__)  # noqa: PTH120
        # The working directory was empty: what is there, the definition has written.
        self._passed = (*self._libraries, *_double([here, os.getcwd()]))  # noqa: PTH109
        self._files: set[str] = set()
        self._searched: set[str] = set()
        self._complete = True

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take note of an audit event of Python."""
        if event == "open":
            path, _, flags = arguments
            # What is only written tells a definition nothing.
            if flags & (os.O_WRONLY | os.O_RDWR) != os.O_WRONLY:
                self._note(path, sys._getframe(1))  # noqa: SLF001
        elif event in {"os.listdir", "os.scandir"}:
            self._note("." if arguments[0] is None else arguments[0], sys._getframe(1), end="/")  # noqa: SLF001
        elif event in _ELSEWHERE and not self._is_import(sys._getframe(1)):  # noqa: SLF001
            self._complete = False

    def find(self) -> dict[str, Any]:
        """All of it, from the repository's root where it lies there."""
        # A module that was compiled before is imported without opening its file.
        modules = [str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())]
        files = {file for file in {*self._files, *modules} if file and "/__pycache__/" not in file}
        searched = {f"{_find_path(each)}/" for each in sys.path} | self._searched
        return {
            "files": self._spell(files),
            "searched": sorted({*self._spell(searched), *(f"{each}/" for each in self._packages)}),
            "complete": self._complete,
        }

    def _note(self, path: Any, frame: Any, *, end: str = "") -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        place = _find_path(path).rstrip("/") + end
        if place.startswith(self._passed):
            return
        if not self._is_import(frame):
            self._files.add(place)
        elif end:
            # Where modules are looked for, the names of all others are of no interest to a commit.
            self._searched.add(place)
        elif place.startswith(f"{self._root}/"):
            self._files.add(place)

    def _is_import(self, frame: Any) -> bool:
        """Whether Python looks for a module, or something installed is being imported, for reasons of its own."""
        if frame.f_code.co_filename.startswith(self._searches):
            return True
        while frame:
            file = frame.f_code.co_filename
            if frame.f_code.co_name == "<module>" and file.startswith(self._libraries) and file != sys.argv[0]:
                return True
            frame = frame.f_back
        return False

    def _spell(self, paths: set[str]) -> list[str]:
        """Also what links lead to, since that is what is read."""
        found = set()
        for path in paths:
            names = {path, os.path.realpath(path).rstrip("/") + path[len(path.rstrip("/")) :]}
            if not any(f"{name}/".startswith(self._passed) for name in names):
                found |= {self._relate(name) for name in names}
        return sorted(found)

    def _relate(self, path: str) -> str:
        return (path[len(self._root) + 1 :] or "./") if path.startswith(f"{self._root}/") else path


def _double(folders: list[str]) -> tuple[str, ...]:
    """As they are spelled, and where they really are."""
    return tuple({f"{path}/" for each in folders for path in (each, os.path.realpath(each))})


def _find_path(path: Any) -> str:
    """Where a path leads, as it is spelled."""
    try:
        return os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - without resolving links
    except OSError:  # the working directory is gone, and so is what was in it
        return os.devnull

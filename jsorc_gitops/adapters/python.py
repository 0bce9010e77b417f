"""The door to Python definitions: builds each in a process of its own. Decides nothing.

What a definition prints, breaks or never ends stays in that process. It sees no environment variable of ours,
so nothing secret, and nothing that differs from one machine to the next.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jsorc_gitops.adapters.sources import find_interpreter
from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.plain import check_plain
from jsorc_gitops.model.services import BuiltDefinition
from jsorc_gitops.model.sources import Sources

_CHILD = Path(__file__).with_name("python_child.py")
# HOME is no folder, and can be none: without it, Python would look up the real one.
_ENVIRONMENT = {"HOME": os.devnull, "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "TZ": "UTC"}
SHIFTED = {"LC_ALL": "C", "PYTHONHASHSEED": "1", "TZ": "XYZ-13"}

_LINES, _COLUMNS = 5, 200  # of what a definition printed, shown when it failed


class PythonDefinitions:
    """Definitions of the repository at `root`, built by `interpreter`, within `timeout` seconds each.

    The interpreter is any Python from 3.8, a name or a path; it needs what a definition imports, and no jsorc.
    `shifted` builds under another hash seed, clock, time zone, locale and order of folders: what looks at one of
    them comes out otherwise.
    """

    def __init__(
        self, root: Path, *, interpreter: str = sys.executable, timeout: float = 60, shifted: bool = False
    ) -> None:
        self._root = root.resolve()
        self._interpreter = find_interpreter(self._root, interpreter)
        self._timeout = timeout
        self._shifted = shifted
        self._sources = Sources()

    @property
    def sources(self) -> Sources:
        """What all definitions that were built until now were made from."""
        return self._sources

    def build_definition(self, name: str, values: Mapping[str, Any], *, folder: str = "") -> BuiltDefinition:
        """Build "package.module:NAME", with a service's `values` as overrides.

        Imports from `folder` (templates/NAME), the repository, then the interpreter's own packages. Raises
        DefinitionError that names the definition, what is wrong, and the line in its code.
        """
        # Most repositories have no definition in Python, and pay for neither.
        import tempfile

        where = f"{folder}/service.yaml: python {name}" if folder else f"python {name}"
        folders = [str(self._root / folder), str(self._root)] if folder else [str(self._root)]
        with tempfile.TemporaryDirectory(prefix="jsorc-python-", ignore_cleanup_errors=True) as scratch:
            answer, printed = Path(scratch, "answer"), Path(scratch, "printed")
            request = {"name": name, "folders": folders, "values": values, "answer": str(answer)}
            try:
                status = self._run({**request, "shifted": self._shifted}, scratch=Path(scratch), printed=printed)
                built = _read_answer(answer, status)
            except DefinitionError as error:
                raise DefinitionError(_clean(f"{where}: {error}{_quote(printed)}")) from None
        check_plain({key: built[key] for key in ("kube", "config")}, where=where)
        found = built["sources"]
        sources = Sources(
            files=frozenset(found["files"]), searched=frozenset(found["searched"]), complete=found["complete"]
        )
        self._sources |= sources
        return BuiltDefinition(kube=built["kube"], config=built["config"], sources=sources)

    def _run(self, request: Mapping[str, Any], *, scratch: Path, printed: Path) -> int:
        """The exit status of a child with this request; whatever it started is gone then, too."""
        import subprocess

        # Somewhere to stay: what a definition writes (Jaseci: its logs) must not end up in the repository.
        place = scratch / "work"
        place.mkdir()
        with printed.open("wb") as sink:
            try:
                child = subprocess.Popen(  # noqa: S603 - the interpreter that the user names, no shell
                    [self._interpreter, "-B", "-u", str(_CHILD)],
                    stdin=subprocess.PIPE,
                    stdout=sink,
                    stderr=sink,
                    cwd=place,
                    env={**_ENVIRONMENT, **(SHIFTED if self._shifted else {}), "TMPDIR": str(place)},
                    start_new_session=True,
                )
            except OSError as error:
                raise DefinitionError(f"{self._interpreter} does not start: {error.strerror}") from error
        with child:
            try:
                child.communicate(json.dumps(request).encode(), timeout=self._timeout)
            except subprocess.TimeoutExpired:
                raise DefinitionError(f"no answer after {self._timeout:g} seconds") from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
        return child.returncode


def _read_answer(path: Path, status: int) -> Mapping[str, Any]:
    try:
        answer: Mapping[str, Any] = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        raise DefinitionError(f"ended without an answer: {_format_status(status)}") from None
    if "error" in answer:
        raise DefinitionError(answer["error"])
    return answer


def _format_status(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def _quote(printed: Path) -> str:
    """The last lines of what was printed, below the error; "" where it is nothing."""
    size = printed.stat().st_size if printed.exists() else 0
    with suppress(OSError), printed.open("rb") as source:
        source.seek(max(0, size - _LINES * _COLUMNS * 4))
        lines = source.read().decode(errors="replace").splitlines()[-_LINES:]
        return "".join(f"\n  printed: {line[:_COLUMNS]}" for line in lines)
    return ""


def _clean(text: str) -> str:
    """Without what a terminal would obey: a definition's words are shown, not followed."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)

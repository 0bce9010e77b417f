"""What a rendering starts from, and whether its outcome is known already."""

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsorc_gitops.errors import DefinitionError

if TYPE_CHECKING:
    from jsorc_gitops.adapters.files import TreeFolder
    from jsorc_gitops.model.services import ServiceFiles
    from jsorc_gitops.model.sources import Sources
    from jsorc_gitops.render.memo import Memo
    from jsorc_gitops.render.publish import Rendering


_RENDERED = "rendered"
_FILES = ("jsorc.yaml", "templates", _RENDERED)  # what a rendering comes from, and goes to


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that a rendering depends on, and what lies there now."""

    root: Path
    settings: str
    services: "Mapping[str, ServiceFiles]"
    environments: Collection[str]
    folder: "TreeFolder"
    on_disk: Mapping[str, str]
    interpreter: str  # the Python that builds Python definitions
    begun: int  # when reading them began, in nanoseconds

    def read_mask_key(self) -> bytes:
        from jsorc_gitops.adapters.files import read_mask_key

        return read_mask_key(find_cache())


def find_cache() -> Path:
    """Where to keep what can be lost; without a home, nowhere."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    return Path(cache) if os.path.isabs(cache) else Path(os.devnull)  # noqa: PTH117 - a text


def read_inputs(root: Path, environments: Collection[str], *, interpreter: str, alone: bool = False) -> Inputs:
    """All inputs; `alone` as if nothing were rendered yet."""
    from jsorc_gitops.adapters.files import TreeFolder, read_definitions, read_settings_text

    begun = time.time_ns()
    folder = TreeFolder(root / _RENDERED)
    return Inputs(
        root=root,
        settings=read_settings_text(root),
        services=read_definitions(root),
        environments=environments,
        interpreter=interpreter,
        begun=begun,
        folder=folder,
        on_disk={} if alone else folder.read_tree(),
    )


def render_inputs(inputs: Inputs, *, shifted: bool = False) -> "Rendering":
    """Render them; `shifted` as python_child shifts Python definitions."""
    # Imported only where it is needed: most runs change nothing, and are recognised without.
    from jsorc_gitops.adapters.fork import fork
    from jsorc_gitops.adapters.python import PythonDefinitions
    from jsorc_gitops.adapters.schemas import read_kubernetes_schemas
    from jsorc_gitops.render.publish import render

    python = PythonDefinitions(inputs.root, interpreter=inputs.interpreter, shifted=shifted)
    rendering = render(
        inputs.settings,
        inputs.services,
        inputs.on_disk,
        environments=inputs.environments,
        schemas=read_kubernetes_schemas,
        python=python,
        fork=fork,
    )
    return replace(rendering, sources=python.sources)


def check_determinism(inputs: Inputs, rendering: "Rendering") -> None:
    """Render a second time under other circumstances; raise DefinitionError where that comes out otherwise."""
    from jsorc_gitops.adapters.shifted import run_shifted
    from jsorc_gitops.render.determinism import check_again

    request = {
        "root": str(inputs.root),
        "environments": list(inputs.environments),
        "interpreter": inputs.interpreter,
    }
    answer = run_shifted("jsorc_gitops.cli.again", request)
    if "error" in answer:
        raise DefinitionError(f"rendered a second time, it fails:\n{answer['error']}")
    check_again(rendering, answer["files"], mask_key=inputs.read_mask_key())


def recall(root: Path, environments: Collection[str], *, interpreter: str) -> "Memo | None":
    """What the last rendering said, where everything is as it was then."""
    from jsorc_gitops.adapters.memo import MemoFile, stamp_files
    from jsorc_gitops.render.memo import parse_memo

    memo = parse_memo(MemoFile(find_cache(), root).read())
    files = stamp_files(root, _FILES) if memo else None
    if memo is None or files is None:
        return None
    key = _compute_key(root, environments, memo.sources, files=files, interpreter=interpreter, before=None)
    return memo if memo.key == key else None


def remember(inputs: Inputs, rendering: "Rendering") -> None:
    from jsorc_gitops.adapters.memo import MemoFile, stamp_files
    from jsorc_gitops.render.memo import Memo, format_memo

    # What another program or the network said may be something else the next time.
    if not rendering.sources.complete:
        return
    written = {f"{_RENDERED}/{path}": stamp for path, stamp in inputs.folder.written.items()}
    files = stamp_files(inputs.root, _FILES, before=inputs.begun, written=written)
    key = files and _compute_key(
        inputs.root,
        inputs.environments,
        rendering.sources,
        files=files,
        interpreter=inputs.interpreter,
        before=inputs.begun,
    )
    if key:
        memo = Memo(key=key, objects=rendering.objects, warnings=rendering.warnings, sources=rendering.sources)
        MemoFile(find_cache(), inputs.root).write(format_memo(memo))


def _compute_key(
    root: Path,
    environments: Collection[str],
    sources: "Sources",
    *,
    files: str,
    interpreter: str,
    before: int | None,
) -> str | None:
    """The key of a memo; None where what Python definitions were made from cannot be known again."""
    from jsorc_gitops.adapters.memo import get_program_stamp
    from jsorc_gitops.adapters.sources import get_interpreter_stamp, read_sources
    from jsorc_gitops.render.memo import compute_key

    names = sources.files | sources.searched
    digests = read_sources(root, names, before=before)
    if digests is None:
        return None
    python = get_interpreter_stamp(root, interpreter) if names else ""
    program = f"{get_program_stamp()} {python}"
    return compute_key(program=program, environments=environments, files=files, sources=digests)

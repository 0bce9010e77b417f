"""What a rendering starts from, and whether its outcome is known already."""

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsorc_gitops.errors import DefinitionError

if TYPE_CHECKING:
    from jsorc_gitops.adapters.files import MemoFile, TreeFolder
    from jsorc_gitops.model.services import ServiceFiles
    from jsorc_gitops.render.memo import Memo
    from jsorc_gitops.render.publish import Rendering


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that a rendering depends on, and what lies there now."""

    root: Path
    settings: str
    services: "Mapping[str, ServiceFiles]"
    environments: Collection[str]
    folder: "TreeFolder"
    on_disk: Mapping[str, str]
    cache: Path
    interpreter: str  # the Python that builds Python definitions
    begun: int  # when reading them began, in nanoseconds

    @property
    def memo(self) -> "MemoFile":
        from jsorc_gitops.adapters.files import MemoFile

        return MemoFile(self.cache, self.root)

    def read_mask_key(self) -> bytes:
        from jsorc_gitops.adapters.files import read_mask_key

        return read_mask_key(self.cache)

    def compute_key(
        self, on_disk: Mapping[str, str], sources: Collection[str], *, before: int | None = None
    ) -> str | None:
        """The key of a memo; None where the sources of Python definitions cannot be known again."""
        from jsorc_gitops.adapters.files import get_program_stamp
        from jsorc_gitops.adapters.sources import get_interpreter_stamp, read_sources
        from jsorc_gitops.render.memo import compute_key

        digests = read_sources(self.root, sources, before=before)
        if digests is None:
            return None
        interpreter = get_interpreter_stamp(self.root, self.interpreter) if sources else ""
        return compute_key(
            self.settings,
            self.services,
            on_disk,
            environments=self.environments,
            sources=digests,
            program=f"{get_program_stamp()} {interpreter}",
        )


def read_inputs(root: Path, environments: Collection[str], *, interpreter: str, alone: bool = False) -> Inputs:
    """All inputs; `alone` as if nothing were rendered yet."""
    from jsorc_gitops.adapters.files import TreeFolder, read_definitions, read_settings_text

    begun = time.time_ns()
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    folder = TreeFolder(root / "rendered")
    return Inputs(
        root=root,
        settings=read_settings_text(root),
        services=read_definitions(root),
        environments=environments,
        interpreter=interpreter,
        begun=begun,
        folder=folder,
        on_disk={} if alone else folder.read_tree(),
        # Without a home there is no place, and what is kept there can be lost.
        cache=Path(cache) if os.path.isabs(cache) else Path(os.devnull),  # noqa: PTH117 - a text
    )


def render_inputs(inputs: Inputs, *, shifted: bool = False) -> "Rendering":
    """Render them; `shifted` as python_child shifts Python definitions."""
    # Imported only where it is needed: most runs change nothing, and are recognised without.
    from jsorc_gitops.adapters.python import PythonDefinitions
    from jsorc_gitops.adapters.schemas import read_kubernetes_schemas
    from jsorc_gitops.render.publish import render

    python = PythonDefinitions(inputs.root, interpreter=inputs.interpreter, shifted=shifted)
    rendering = render(
        inputs.settings,
        inputs.services,
        inputs.on_disk,
        environments=inputs.environments,
        schemas=read_kubernetes_schemas(),
        python=python,
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


def recall(inputs: Inputs) -> "Memo | None":
    """What the last rendering said, where everything is as it was then."""
    from jsorc_gitops.render.memo import parse_memo

    memo = parse_memo(inputs.memo.read())
    return memo if memo and memo.key == inputs.compute_key(inputs.on_disk, memo.sources) else None


def remember(inputs: Inputs, rendering: "Rendering") -> None:
    from jsorc_gitops.render.memo import Memo, format_memo
    from jsorc_gitops.render.outcome import Outcome, format_outcome
    from jsorc_gitops.render.publish import compute_written

    sources = tuple(sorted(rendering.sources.files | rendering.sources.searched))
    key = inputs.compute_key(compute_written(rendering, inputs.on_disk), sources, before=inputs.begun)
    # What another program or the network said may be something else the next time.
    if key is None or not rendering.sources.complete:
        return
    document = format_outcome(Outcome(rendering=rendering))
    memo = Memo(
        key=key, objects=rendering.objects, warnings=rendering.warnings, document=document, sources=sources
    )
    inputs.memo.write(format_memo(memo))

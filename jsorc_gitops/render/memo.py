"""Whether a rendering is known without rendering: nothing that it came from, or made, has changed."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from jsorc_gitops.model.sources import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """What a rendering that changed nothing said. `key` is of compute_key."""

    key: str
    objects: int
    warnings: tuple[str, ...]
    sources: Sources


def compute_key(*, program: str, environments: Collection[str], files: str, sources: Mapping[str, str]) -> str:
    """A digest that is equal only where rendering would find rendered/ as it should be again.

    `files` stands for jsorc.yaml, templates/ and rendered/; `sources` has a digest of everything that Python
    definitions were made from. `program` stands for all else that decides: jsorc itself, Python, and the
    libraries.
    """
    parts = [program, sorted(environments), files, sorted(sources.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def format_memo(memo: Memo) -> str:
    data = {**asdict(memo), "sources": {"files": [*memo.sources.files], "searched": [*memo.sources.searched]}}
    return json.dumps(data)


def parse_memo(text: str) -> Memo | None:
    """The memo, or None where it is none: it is only a shortcut."""
    try:
        data = json.loads(text)
        files, searched = (frozenset(map(str, data["sources"][name])) for name in ("files", "searched"))
        return Memo(
            key=str(data["key"]),
            objects=int(data["objects"]),
            warnings=tuple(data["warnings"]),
            sources=Sources(files=files, searched=searched),
        )
    except (ValueError, KeyError, TypeError):
        return None

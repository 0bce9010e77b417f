"""Whether a rendering is known without rendering: the digest of all that goes in and of all that lies there."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from jsorc_gitops.model.layout import Files
from jsorc_gitops.model.services import ServiceFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """What a rendering that changed nothing said, in text and as JSON.

    `key` is of compute_key, `sources` are what Python definitions look at.
    """

    key: str
    objects: int
    warnings: tuple[str, ...]
    document: str
    sources: tuple[str, ...] = ()


def compute_key(
    settings_text: str,
    services: Mapping[str, ServiceFiles],
    on_disk: Files,
    *,
    environments: Collection[str],
    sources: Mapping[str, str],
    program: str,
) -> str:
    """A digest that is equal only where rendering would find rendered/ as it should be again.

    `sources` has a digest of everything that Python definitions were made from. `program` stands for all else
    that decides: jsorc itself, Python, and the libraries.
    """
    digest = hashlib.sha256()
    parts = [program, settings_text, *sorted(environments)]
    for files in services.values():
        for name, text in files.texts.items():
            parts += [f"{files.folder}/{name}", text]
    for path, text in (*on_disk.items(), ("", ""), *sources.items()):
        parts += [path, text]
    for part in parts:
        content = part.encode(errors="surrogateescape")
        # The length first, so that no two lists of texts make the same bytes.
        digest.update(b"%d:" % len(content))
        digest.update(content)
    return digest.hexdigest()


def format_memo(memo: Memo) -> str:
    return json.dumps(asdict(memo))


def parse_memo(text: str) -> Memo | None:
    """The memo, or None where it is none: it is only a shortcut."""
    try:
        data = json.loads(text)
        return Memo(
            key=str(data["key"]),
            objects=int(data["objects"]),
            warnings=tuple(data["warnings"]),
            sources=tuple(map(str, data["sources"])),
            document=str(data["document"]),
        )
    except (ValueError, KeyError, TypeError):
        return None

"""What files of a tree were read as, kept for the next pass: a file whose blob is known is not read again.

Only what render wrote and nobody changed is kept, and nothing of a Secret.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsorc_gitops.model.digests import hash_body
from jsorc_gitops.model.layout import is_edited
from jsorc_gitops.model.objects import KeptBody, Manifest, ObjectRef, parse_group

_SECRET = ("", "Secret")
_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)

Row = Sequence[Any]  # of a file: what its list names, and a row for each object


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """A file as it was read: the names in a kustomization.yaml, the objects in any other."""

    resources: tuple[str, ...] = ()
    manifests: tuple[Manifest, ...] = ()


def may_keep(path: str, text: str, parsed: ParsedFile) -> bool:
    """Whether a file may be kept: what was edited is to be looked at each time, and Secrets lie in git alone."""
    return not is_edited(path, text) and all(each.ref.group_kind != _SECRET for each in parsed.manifests)


def make_row(parsed: ParsedFile) -> Row:
    """What is kept of a file, as JSON values."""
    return [[*parsed.resources], [_make_object_row(each) for each in parsed.manifests]]


def read_row(row: Row, *, where: str) -> ParsedFile:
    """The file that lies at `where` now; bodies are decoded where they are asked for."""
    resources, objects = row
    return ParsedFile(
        resources=tuple(resources),
        manifests=tuple(
            Manifest.from_kept(
                ref=ObjectRef(group=parse_group(version), kind=kind, namespace=namespace, name=name),
                api_version=version,
                where=f"{where}:{line}",
                kept=KeptBody(text=text, service=service, digest=digest),
            )
            for line, version, kind, namespace, name, service, digest, text in objects
        ),
    )


def format_kept(rows: Mapping[str, Row], *, program: str) -> str:
    """All that is kept, by blob; `program` changes whenever jsorc may read a file otherwise."""
    return _COMPACT.encode({"program": program, "files": rows})


def parse_kept(text: str, *, program: str) -> dict[str, Row]:
    """What was kept by the same program; empty where there is nothing, or nothing of use."""
    try:
        data = json.loads(text)
        return dict(data["files"]) if data["program"] == program else {}
    except (ValueError, KeyError, TypeError):
        return {}


def _make_object_row(manifest: Manifest) -> Row:
    line = int(manifest.where.rpartition(":")[2])
    ref, body = manifest.ref, manifest.body
    key = (manifest.api_version, ref.kind, ref.namespace, ref.name, manifest.service)
    return [line, *key, hash_body(body), _COMPACT.encode(body)]

"""What a pass remembers in the cluster: a ConfigMap per tree, an ApplySet parent, continued in others if need be.

The marks are those of KEP-3659, so that kubectl and others recognise the set:
https://git.k8s.io/enhancements/keps/sig-cli/3659-kubectl-apply-prune

An inventory that one ConfigMap cannot hold is continued in parts. Their names hold the generation of the state,
a digest of the inventory and of the state it replaces: no write ever changes a part that another state names.
"""

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from jsorc_gitops.errors import FormatError
from jsorc_gitops.model.objects import Body, ObjectRef

VERSION = 2
PART_BYTES = 1_000_000  # of the inventory in one ConfigMap, which Kubernetes allows 1,048,576 bytes in all
STATE_PREFIX = "jsorc.state."
STATE_LABEL = "jsorc.jaseci.org/state"  # on what continues a state, with the name of the tree
PART_OF_LABEL = "applyset.kubernetes.io/part-of"

ID_LABEL = "applyset.kubernetes.io/id"
_TOOLING = "applyset.kubernetes.io/tooling"
_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
_REMEDY = "delete it, and the next pass builds it anew from the marks on the objects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One object we applied.

    `uid` and `fingerprint` are "" while what `pending` names (create, adopt, recreate) may be done or not.
    `takes` counts, by path, how many passes in a row took a field back from somebody, of which pass `taken_in`
    was the last; `yielded` are the fields that were left to them, since it would have gone on for ever.
    `version` is a resourceVersion at which all that was so; it only saves looking, so it is no difference.
    """

    ref: ObjectRef
    service: str
    uid: str = ""
    fingerprint: str = ""
    version: str = field(default="", compare=False)
    pending: str = ""
    takes: Mapping[str, int] = field(default_factory=dict)
    taken_in: int = 0
    yielded: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state of one tree.

    `revision` is the commit last applied; `settled` the last one whose pass ended with nothing refused or
    failed, so that consents in the commits after it still count; until there is one, the first that was applied
    ("" in a state of an older jsorc). `audited` is when all objects were dry-run last, `began` when entries were
    made pending last (RFC 3339, "" for never). `resource_version` is "" for a state that was never written;
    `parts` are the names of the ConfigMaps that continue it.
    """

    revision: str = ""
    settled: str = ""
    audited: str = ""
    began: str = ""
    entries: Mapping[ObjectRef, Entry] = field(default_factory=dict)
    resource_version: str = ""
    parts: tuple[str, ...] = ()


def state_name(tree: str) -> str:
    return f"{STATE_PREFIX}{tree}"


@cache
def compute_applyset_id(tree: str, namespace: str) -> str:
    """The value of the part-of label of every member."""
    parent = f"{state_name(tree)}.{namespace}.ConfigMap."
    digest = hashlib.sha256(parent.encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def find_part_of(live: Body) -> str:
    """The ApplySet that an object says it is part of; "" for none."""
    labels: Mapping[str, str] = live["metadata"].get("labels") or {}
    return labels.get(PART_OF_LABEL, "")


def format_state(state: State, *, tree: str, namespace: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The state as its ConfigMap, and the ConfigMaps that continue it, which are to be written before it."""
    # Without a time of writing, the same inventory is the same bytes; beyond level 6 they get no fewer.
    packed = gzip.compress(json.dumps(_format_entries(state.entries), separators=(",", ":")).encode(), 6, mtime=0)
    first, *rest = [packed[at : at + PART_BYTES] for at in range(0, len(packed), PART_BYTES)]
    generation = hashlib.sha256(f"{state.resource_version}:".encode() + packed).hexdigest()[:16]
    names = [f"{state_name(tree)}.{generation}.{number}" for number in range(2, len(rest) + 2)]
    summary = {
        "version": VERSION,
        "tree": tree,
        "revision": state.revision,
        "settled": state.settled,
        **({"audited": state.audited} if state.audited else {}),
        **({"began": state.began} if state.began else {}),
        **({"continued": names} if names else {}),
    }
    metadata: dict[str, Any] = {
        "name": state_name(tree),
        "namespace": namespace,
        "labels": {ID_LABEL: compute_applyset_id(tree, namespace)},
        "annotations": {
            _TOOLING: f"jsorc/v{VERSION}",
            _KINDS: _format_kinds(state.entries),
            _NAMESPACES: ",".join(sorted({ref.namespace for ref in state.entries} - {"", namespace})),
        },
    }
    if state.resource_version:
        metadata["resourceVersion"] = state.resource_version
    body = _make_config_map(metadata, first)
    body["data"] = {"state.json": json.dumps(summary, indent=2, sort_keys=True) + "\n"}
    labels = {STATE_LABEL: tree}
    return body, [
        _make_config_map({"name": name, "namespace": namespace, "labels": labels}, chunk) | {"immutable": True}
        for name, chunk in zip(names, rest, strict=True)
    ]


def find_parts(body: Body) -> list[str]:
    """The names of the ConfigMaps that continue a state. Raises FormatError."""
    try:
        return list(map(str, _read_summary(body).get("continued", ())))
    except TypeError as error:
        raise _make_broken(body, error) from error


def parse_state(body: Body | None, parts: Sequence[Body | None] = ()) -> State:
    """Read the state back; None is the state before the first pass. Raises FormatError.

    `parts` are what find_parts names, in that order; a None among them is one that is missing.
    """
    if body is None:
        return State()
    summary, names = _read_summary(body), find_parts(body)
    missing = [name for name, part in zip(names, parts, strict=True) if part is None]
    if missing:
        raise FormatError(f"{_tell_place(body)} is continued in {missing[0]}, which is not there; {_REMEDY}")
    try:
        chunks = [each["binaryData"]["inventory.json.gz"] for each in (body, *parts) if each]
        packed = b"".join(map(base64.b64decode, chunks))
        entries = _READERS[summary["version"]](json.loads(gzip.decompress(packed)))
        return State(
            revision=summary["revision"],
            settled=summary["settled"],
            audited=summary.get("audited", ""),
            began=summary.get("began", ""),
            entries={entry.ref: entry for entry in entries},
            resource_version=body["metadata"]["resourceVersion"],
            parts=tuple(names),
        )
    except (ValueError, LookupError, TypeError, AttributeError, OSError, EOFError, zlib.error) as error:
        raise _make_broken(body, error) from error


def _read_summary(body: Body) -> Mapping[str, Any]:
    try:
        summary: Mapping[str, Any] = json.loads(body["data"]["state.json"])
        if summary["version"] > VERSION:
            raise FormatError(
                f"{_tell_place(body)} has version {summary['version']}, this jsorc reads up to {VERSION}; "
                "use a newer jsorc"
            )
    except (ValueError, LookupError, TypeError) as error:
        raise _make_broken(body, error) from error
    return summary


def _make_config_map(metadata: Mapping[str, Any], packed: bytes) -> dict[str, Any]:
    data = {"inventory.json.gz": base64.b64encode(packed).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": data}


def _make_broken(body: Body, error: Exception) -> FormatError:
    return FormatError(f"{_tell_place(body)} cannot be read ({type(error).__name__}); {_REMEDY}")


def _tell_place(body: Body) -> str:
    return f"ConfigMap {body['metadata']['namespace']}/{body['metadata']['name']}"


def _format_entries(entries: Mapping[ObjectRef, Entry]) -> dict[str, Any]:
    """By columns, smaller and read faster than rows; `rare` is what few entries have, by their place."""
    ordered = [entries[ref] for ref in sorted(entries)]
    rare = {
        str(place): {
            "pending": each.pending,
            "takes": each.takes,
            "takenIn": each.taken_in,
            "yielded": each.yielded,
        }
        for place, each in enumerate(ordered)
        if each.pending or each.takes or each.yielded
    }
    return {
        "group": [each.ref.group for each in ordered],
        "kind": [each.ref.kind for each in ordered],
        "namespace": [each.ref.namespace for each in ordered],
        "name": [each.ref.name for each in ordered],
        "service": [each.service for each in ordered],
        "uid": [each.uid for each in ordered],
        "fingerprint": [each.fingerprint for each in ordered],
        "version": [each.version for each in ordered],
        "rare": rare,
    }


def _parse_columns(columns: Mapping[str, Any]) -> list[Entry]:
    """Columns that a later jsorc adds within this version are passed over."""
    names = ("group", "kind", "namespace", "name", "service", "uid", "fingerprint", "version")
    entries = [
        Entry(ref=ObjectRef(*ref), service=service, uid=uid, fingerprint=fingerprint, version=version)
        for *ref, service, uid, fingerprint, version in zip(*(columns[each] for each in names), strict=True)
    ]
    for place, row in columns["rare"].items():
        entries[int(place)] = _add_rare(entries[int(place)], row)
    return entries


def _parse_rows(rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """The inventory of version 1: an object for each entry."""
    return [
        _add_rare(
            Entry(
                ref=ObjectRef(group=row["group"], kind=row["kind"], namespace=row["namespace"], name=row["name"]),
                service=row["service"],
                uid=row["uid"],
                fingerprint=row["fingerprint"],
            ),
            row,
        )
        for row in rows
    ]


def _add_rare(entry: Entry, row: Mapping[str, Any]) -> Entry:
    return replace(
        entry,
        pending=row.get("pending", ""),
        takes=row.get("takes", {}),
        taken_in=row.get("takenIn", 0),
        yielded=tuple(map(tuple, row.get("yielded", ()))),
    )


_READERS: Mapping[int, Callable[[Any], list[Entry]]] = {1: _parse_rows, 2: _parse_columns}


def _format_kinds(refs: Iterable[ObjectRef]) -> str:
    return ",".join(sorted({f"{ref.kind}.{ref.group}" if ref.group else ref.kind for ref in refs}))

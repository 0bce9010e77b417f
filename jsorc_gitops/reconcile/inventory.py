"""What a pass remembers in the cluster: one ConfigMap per tree, an ApplySet parent.

The marks are those of KEP-3659, so that kubectl and others recognise the set:
https://git.k8s.io/enhancements/keps/sig-cli/3659-kubectl-apply-prune
"""

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsorc_gitops.errors import FormatError
from jsorc_gitops.model.objects import Body, ObjectRef

VERSION = 1
PART_OF_LABEL = "applyset.kubernetes.io/part-of"

_ID_LABEL = "applyset.kubernetes.io/id"
_TOOLING = "applyset.kubernetes.io/tooling"
_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"


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
    failed, so that consents in the commits after it still count. `audited` is when all objects were dry-run
    last (RFC 3339), "" for never. `resource_version` is "" for a state that was never written.
    """

    revision: str = ""
    settled: str = ""
    audited: str = ""
    entries: Mapping[ObjectRef, Entry] = field(default_factory=dict)
    resource_version: str = ""


def state_name(tree: str) -> str:
    return f"jsorc.state.{tree}"


def compute_applyset_id(tree: str, namespace: str) -> str:
    """The value of the part-of label of every member."""
    parent = f"{state_name(tree)}.{namespace}.ConfigMap."
    digest = hashlib.sha256(parent.encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def find_part_of(live: Body) -> str:
    """The ApplySet that an object says it is part of; "" for none."""
    labels: Mapping[str, str] = live["metadata"].get("labels") or {}
    return labels.get(PART_OF_LABEL, "")


def format_state(state: State, *, tree: str, namespace: str) -> dict[str, Any]:
    """The state as its ConfigMap."""
    entries = [_format_entry(state.entries[ref]) for ref in sorted(state.entries)]
    summary = {
        "version": VERSION,
        "tree": tree,
        "revision": state.revision,
        "settled": state.settled,
        **({"audited": state.audited} if state.audited else {}),
    }
    metadata: dict[str, Any] = {
        "name": state_name(tree),
        "namespace": namespace,
        "labels": {_ID_LABEL: compute_applyset_id(tree, namespace)},
        "annotations": {
            _TOOLING: f"jsorc/v{VERSION}",
            _KINDS: _format_kinds(state.entries),
            _NAMESPACES: ",".join(sorted({ref.namespace for ref in state.entries} - {"", namespace})),
        },
    }
    if state.resource_version:
        metadata["resourceVersion"] = state.resource_version
    # Without a time of writing in the stream, the same inventory is the same bytes.
    packed = gzip.compress(json.dumps(entries, separators=(",", ":")).encode(), mtime=0)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"state.json": json.dumps(summary, indent=2, sort_keys=True) + "\n"},
        "binaryData": {"inventory.json.gz": base64.b64encode(packed).decode()},
    }


def parse_state(body: Body | None) -> State:
    """Read the state back; None is the state before the first pass. Raises FormatError."""
    if body is None:
        return State()
    where = f"ConfigMap {body['metadata']['namespace']}/{body['metadata']['name']}"
    try:
        summary = json.loads(body["data"]["state.json"])
        if summary["version"] > VERSION:
            raise FormatError(
                f"{where} has version {summary['version']}, this jsorc reads up to {VERSION}; use a newer jsorc"
            )
        packed = base64.b64decode(body["binaryData"]["inventory.json.gz"])
        entries = [_parse_entry(row) for row in json.loads(gzip.decompress(packed))]
        return State(
            revision=summary["revision"],
            settled=summary["settled"],
            audited=summary.get("audited", ""),
            entries={entry.ref: entry for entry in entries},
            resource_version=body["metadata"]["resourceVersion"],
        )
    except (ValueError, KeyError, TypeError, OSError, EOFError, zlib.error) as error:
        raise FormatError(
            f"{where} cannot be read ({type(error).__name__}); delete it, and the next pass builds it anew from "
            "the marks on the objects"
        ) from error


def _format_entry(entry: Entry) -> dict[str, Any]:
    ref = entry.ref
    rare = {
        "version": entry.version,
        "pending": entry.pending,
        "takes": entry.takes,
        "takenIn": entry.taken_in,
        "yielded": entry.yielded,
    }
    return {
        "group": ref.group,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "service": entry.service,
        "uid": entry.uid,
        "fingerprint": entry.fingerprint,
        **{key: value for key, value in rare.items() if value},
    }


def _parse_entry(row: Mapping[str, Any]) -> Entry:
    """Keys that a later jsorc adds within this version are passed over."""
    return Entry(
        ref=ObjectRef(group=row["group"], kind=row["kind"], namespace=row["namespace"], name=row["name"]),
        service=row["service"],
        uid=row["uid"],
        fingerprint=row["fingerprint"],
        version=row.get("version", ""),
        pending=row.get("pending", ""),
        takes=row.get("takes", {}),
        taken_in=row.get("takenIn", 0),
        yielded=tuple(map(tuple, row.get("yielded", ()))),
    )


def _format_kinds(refs: Iterable[ObjectRef]) -> str:
    return ",".join(sorted({f"{ref.kind}.{ref.group}" if ref.group else ref.kind for ref in refs}))

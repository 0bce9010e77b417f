"""Who owns which field of a live object, read from its managedFields, and what follows (DESIGN §5).

managedFields hold, per manager, a set in the notation of structured-merge-diff: `f:name` is a field,
`k:{…}` the item of a list with these keys, `v:…` an item of a list of plain values, `.` the thing itself.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from jsorc_gitops.model.digests import hash_body, hash_value
from jsorc_gitops.model.masks import encode_strings
from jsorc_gitops.model.objects import Body, Manifest
from jsorc_gitops.model.policy import DEFAULT, ApplyPolicy

FIELD_MANAGER = "jsorc"
MASK = "***"  # in the place of what a Secret holds

_SECRET = ("", "Secret")
_DATA = ("data", "stringData")
# Annotations can be copies of the object: kubectl's last-applied-configuration is one, with the data.
_HIDDEN = (".data", ".stringData", ".metadata.annotations")

# A person's hand: taken back, and reported with the name.
PERSONS = re.compile(
    r"kubectl|before-first-apply\Z|k9s|lens\Z|node-fetch\Z|freelens|rancher|headlamp|dashboard|kubernetes-dashboard",
    re.IGNORECASE,
)
# Autoscalers own what they scale.
_SCALERS = re.compile(r"kube-controller-manager\Z|vpa-|vertical-pod-autoscaler|keda", re.IGNORECASE)

Keys = tuple[str, ...]


class Verdict(StrEnum):
    """What is done about a field that somebody else set."""

    TAKE = "take"
    YIELD = "yield"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One entry of managedFields: who, how, when (RFC 3339, as the server says it)."""

    manager: str
    operation: str
    subresource: str
    time: str


UNKNOWN = Owner(manager="unknown", operation="", subresource="", time="")
_BEFORE = Owner(manager="before-first-apply", operation="Update", subresource="", time="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A field and who owns it. Keys are needed beside the spelled path, since names may hold dots."""

    owner: Owner
    keys: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A field we set that somebody else owns. `path` is spelled as in the server's conflict causes."""

    path: str
    keys: Keys
    owner: Owner
    ours: Any
    theirs: Any
    verdict: Verdict


def compute_fingerprint(manifest: Manifest, live: Body) -> str:
    """What an object looked like when we applied it; equal means that no field we set was changed.

    For a Secret it is its uid and resourceVersion, and of what git says all but the data: nothing derived
    from its data is stored, so `holds_git_data` is to be asked besides.
    """
    metadata = live["metadata"]
    if manifest.ref.group_kind == _SECRET:
        return compute_digest(manifest) + hash_value([metadata["uid"], metadata["resourceVersion"]])[:16]
    entry = find_own_entry(live)
    fields = entry.get("fieldsV1", {}) if entry else {}
    return compute_digest(manifest) + hash_value(list_values(fields, live))[:16]


def compute_digest(manifest: Manifest) -> str:
    """What git says of an object; a fingerprint begins with it, so that what others did is told from a commit."""
    if manifest.kept:
        return manifest.kept.digest
    said = manifest.body
    if manifest.ref.group_kind == _SECRET:
        said = {key: sorted(value or ()) if key in _DATA else value for key, value in said.items()}
    return hash_body(said)


def holds_git_data(manifest: Manifest, live: Body) -> bool:
    """Whether a Secret holds the data that git says; of other kinds the fingerprint tells all."""
    if manifest.ref.group_kind != _SECRET:
        return True
    said, held = encode_strings(manifest.body).get("data") or {}, live.get("data") or {}
    return all(held.get(key) == value for key, value in said.items())


def find_own_entry(live: Body) -> Mapping[str, Any] | None:
    """Our Apply entry in managedFields."""
    for entry in live["metadata"].get("managedFields") or ():
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply":
            found: Mapping[str, Any] = entry
            return found
    return None


def list_values(fields: Mapping[str, Any], value: Any) -> list[Any]:
    """What a field set covers of a value, in a row: each key, then what stands there, or how many are below.

    No fields cover all of it. In a row, since a pass computes it of every object that somebody touched, be it for
    its status alone: nested and sorted it would take 1.6 times as long.
    """
    found: list[Any] = []
    if fields:
        _collect(fields, value, found)
    return found or [value]


def _collect(fields: Mapping[str, Any], value: Any, found: list[Any]) -> None:
    for key, below in fields.items():
        if key[:2] == "f:":
            inner = value.get(key[2:]) if isinstance(value, dict) else None
        elif key == ".":
            # That the thing itself is ours, too; alone, it stands for all of it.
            inner = value if len(fields) == 1 else None
        else:
            inner = _step(key, value)
        found.append(key)
        if below:
            found.append(len(below))
            _collect(below, inner, found)
        else:
            found.append(inner)


def find_owners(live: Body) -> dict[str, Owned]:
    """What others than us own: path → field. The last writer of a shared field is named."""
    owned: dict[str, Owned] = {}
    entries = [each for each in live["metadata"].get("managedFields") or () if each.get("fieldsV1")]
    for entry in sorted(entries, key=lambda each: each.get("time") or ""):
        if (entry["manager"], entry["operation"]) == (FIELD_MANAGER, "Apply"):
            continue
        owner = Owner(
            manager=entry["manager"],
            operation=entry["operation"],
            subresource=entry.get("subresource", ""),
            time=entry.get("time", ""),
        )
        for keys in _walk(entry["fieldsV1"], ()):
            owned[format_keys(keys)] = Owned(owner=owner, keys=keys)
    return owned


def find_own_fields(live: Body) -> dict[str, Keys]:
    """The fields that our Apply entry covers, by path, outer ones first."""
    entry = find_own_entry(live)
    return {format_keys(keys): keys for keys in _walk((entry or {}).get("fieldsV1") or {}, ())}


def compute_conflicts(
    paths: Iterable[str], desired: Body, live: Body, *, adopting: bool, policy: ApplyPolicy = DEFAULT
) -> tuple[Conflict, ...]:
    """Judge the fields that the server names in a conflict (its causes' `field`)."""
    owned = find_owners(live)
    # Fields that no entry covers were set before anybody applied. Where there are entries, they were
    # set since we looked, by an owner we do not know, who is not overridden.
    unowned = UNKNOWN if live["metadata"].get("managedFields") else _BEFORE
    conflicts = []
    for path in dict.fromkeys(paths):
        found = owned.get(path, Owned(owner=unowned, keys=()))
        ours, theirs = (find_value(body, found.keys) if found.keys else None for body in (desired, live))
        if is_masked(live, path):
            ours = theirs = MASK
        conflicts.append(
            Conflict(
                path=path,
                keys=found.keys,
                owner=found.owner,
                ours=ours,
                theirs=theirs,
                verdict=judge_owner(found.owner, adopting=adopting, said=policy.find_verdict(path)),
            )
        )
    return tuple(conflicts)


def is_masked(live: Body, path: str) -> bool:
    """Whether a field's values are not to be shown: what a Secret holds."""
    return (live["apiVersion"], live["kind"]) == ("v1", "Secret") and path.startswith(_HIDDEN)


def judge_owner(owner: Owner, *, adopting: bool, said: str = "") -> Verdict:
    """The ownership table of DESIGN §5. Adopting, which the user asked for, takes all but what is scaled.

    `said` is what service.yaml says of the field, "" for nothing; it counts more than anything else.
    """
    if said:
        return Verdict(said)
    if _SCALERS.match(owner.manager) and owner.subresource == "scale":
        return Verdict.YIELD
    if adopting or PERSONS.match(owner.manager):
        return Verdict.TAKE
    return Verdict.FAIL


def find_value(body: Any, keys: Keys) -> Any:
    """The value of a field, None where there is none."""
    value = body
    for key in keys:
        value = _step(key, value)
    return value


def remove_value(body: Any, keys: Keys) -> Any:
    """A copy of the body without one field or list item."""
    key, rest = keys[0], keys[1:]
    if key.startswith("f:"):
        name = key[2:]
        if not isinstance(body, Mapping) or name not in body:
            return body
        if rest:
            return {**body, name: remove_value(body[name], rest)}
        return {other: value for other, value in body.items() if other != name}
    item = _step(key, body)
    if not isinstance(body, list) or item is None:
        return body
    if rest:
        return [remove_value(each, rest) if each is item else each for each in body]
    return [each for each in body if each is not item]


def format_keys(keys: Keys) -> str:
    """The path of a field, as the server spells it."""
    return "".join(map(format_step, keys))


def format_step(key: str) -> str:
    """'f:spec' → '.spec'; 'k:{"name":"redis"}' → '[name="redis"]'; 'v:"a"' → '[="a"]', as the server does."""
    if key.startswith("f:"):
        return f".{key[2:]}"
    if key.startswith("k:"):
        pairs = json.loads(key[2:])
        spelled = (f"{name}={json.dumps(pairs[name], ensure_ascii=False)}" for name in sorted(pairs))
        return "[" + ",".join(spelled) + "]"
    if key.startswith("v:"):
        return f"[={key[2:]}]"
    return f"[{key[2:]}]"


def _walk(fields: Mapping[str, Any], keys: Keys) -> Iterator[Keys]:
    for key, below in fields.items():
        if key != ".":
            yield (*keys, key)
            yield from _walk(below, (*keys, key))


@lru_cache(1024)
def _parse_keys(text: str) -> Mapping[str, Any]:
    """The keys of a list item; the same few stand in thousands of objects."""
    keys: dict[str, Any] = json.loads(text)
    return keys


def _step(key: str, value: Any) -> Any:
    """The part of a value that one key of a field set names, None where there is none."""
    kind, rest = key[:2], key[2:]
    if kind == "f:":
        return value.get(rest) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    if kind == "k:":
        keys = _parse_keys(rest)
        # A key that is left out stands for its default, which for lists of ports is the protocol TCP.
        defaults = {"protocol": "TCP"}
        for item in value:
            if isinstance(item, dict) and all(item.get(k, defaults.get(k)) == v for k, v in keys.items()):
                return item
        return None
    if kind == "v:":
        wanted = json.loads(rest)
        return next((item for item in value if item == wanted), None)
    index = int(rest)
    return value[index] if index < len(value) else None

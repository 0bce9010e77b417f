"""Server-side apply for the fake API server: who owns which field, what conflicts, what an apply makes of it."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from tests.reconcile.builders import Body, own_entry

Path = tuple[str, ...]
_IDENTITY = frozenset({"name", "namespace", "uid", "resourceVersion", "managedFields"})


def find_leaves(value: Mapping[str, Any], path: Path = ()) -> dict[Path, Any]:
    """Every field that a body sets, but for its identity and status; a list is one field."""
    found: dict[Path, Any] = {}
    for key, below in value.items():
        if (not path and key in {"apiVersion", "kind", "status"}) or (path == ("metadata",) and key in _IDENTITY):
            continue
        if isinstance(below, Mapping) and below:
            found |= find_leaves(below, (*path, key))
        else:
            found[*path, key] = below
    return found


def make_fields(paths: Iterable[Path]) -> Body:
    """The fieldsV1 of these paths."""
    fields: Body = {}
    for path in paths:
        place = fields
        for key in path:
            place = place.setdefault(f"f:{key}", {})
    return fields


def list_paths(fields: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """The paths of a fieldsV1."""
    for key, below in fields.items():
        yield from list_paths(below, (*path, key[2:])) if below else iter([(*path, key[2:])])


def set_field(body: Body, path: Path, value: Any) -> None:
    """Set one field in place; None removes it."""
    place = body
    for key in path[:-1]:
        place = place.setdefault(key, {})
    if value is None:
        place.pop(path[-1], None)
    else:
        place[path[-1]] = value


def merge_patch(body: Mapping[str, Any], patch: Mapping[str, Any]) -> Body:
    """What a JSON merge patch (RFC 7386) makes of a body."""
    merged = dict(body)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge_patch(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def find_conflicts(body: Mapping[str, Any], live: Body) -> list[dict[str, str]]:
    """The causes the server would name: fields that others own and that would change."""
    held = find_leaves(live)
    wanted = find_leaves(body)
    others = {
        path
        for entry in live["metadata"]["managedFields"]
        if not _is_ours(entry)
        for path in list_paths(entry.get("fieldsV1", {}))
    }
    return [
        {"reason": "FieldManagerConflict", "field": "." + ".".join(path)}
        for path, value in wanted.items()
        if path in others and held.get(path) != value
    ]


def merge(body: Mapping[str, Any], live: Body | None) -> Body:
    """What an apply that conflicts with nobody, or is forced, makes of an object."""
    wanted = find_leaves(body)
    entry = {**own_entry(make_fields(wanted)), "apiVersion": body["apiVersion"]}
    if live is None:
        metadata = {
            key: value for key, value in body["metadata"].items() if key not in {"uid", "resourceVersion"}
        }
        return {**deepcopy(dict(body)), "metadata": {**metadata, "managedFields": [entry]}}
    merged, held = deepcopy(live), find_leaves(live)
    taken = {path for path, value in wanted.items() if held.get(path) != value}
    entries = merged["metadata"]["managedFields"]
    dropped = {
        path for each in entries if _is_ours(each) for path in list_paths(each["fieldsV1"])
    } - wanted.keys()
    others = []
    for each in entries:
        if not _is_ours(each) and each.get("fieldsV1"):
            paths = [path for path in list_paths(each["fieldsV1"]) if path not in taken]
            others.append({**each, "fieldsV1": make_fields(paths)})
            dropped -= set(paths)
    for path in dropped:
        set_field(merged, path, None)
    for path, value in wanted.items():
        set_field(merged, path, value)
    merged["metadata"]["managedFields"] = [entry, *others]
    return merged


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return (entry.get("manager"), entry.get("operation")) == ("jsorc", "Apply")

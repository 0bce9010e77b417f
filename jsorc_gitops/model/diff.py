"""What differs between two objects, field by field, and between two sets of objects.

Items of a list are matched by what names them (a container's name, a mount's path), so that an inserted
variable is one addition. Lists without such a name are aligned like lines of a text.
"""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jsorc_gitops.model.layout import RECORD_PREFIX, settings_name
from jsorc_gitops.model.objects import Body, Manifest, ObjectRef

Path = tuple[str, ...]  # keys of mappings, and steps like '[name="redis"]' or '[2]' into lists

# What names an item, tried in this order; the first that is there and different in all items counts.
_LIST_KEYS: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("metadata.name",),
    ("kind", "namespace", "name"),
    ("mountPath",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("key",),
    ("ip",),
    ("host",),
    ("path",),
    ("topologyKey",),
)
# Aligning takes time with the square of the length; beyond this a list is told as a whole.
_LONGEST_ALIGNED = 1000


class Action(StrEnum):
    """What happens to an object, in the order it is told."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDiff:
    """One smallest part that differs; None stands for what is absent. () is the whole object.

    `reordered`: the list holds the same, in another order; before and after show no more than that.
    """

    path: Path
    before: Any
    after: Any
    reordered: bool = False

    @property
    def spelled(self) -> str:
        """'spec.containers[name="redis"].image', as the API server spells it but for its leading dot."""
        return ".".join(self.path).replace(".[", "[")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDiff:
    """One object that differs, and the service it belongs to, now or before it was removed."""

    ref: ObjectRef
    service: str
    action: Action
    fields: tuple[FieldDiff, ...]


def diff_objects(old: Mapping[ObjectRef, Manifest], new: Mapping[ObjectRef, Manifest]) -> tuple[ObjectDiff, ...]:
    """What differs in meaning between two trees, by service, then action, then identity.

    The JSON texts of jsorc's own settings and records are compared by their fields.
    """
    found = [_make_diff(each, Action.ADDED) for ref, each in new.items() if ref not in old]
    found += [_make_diff(each, Action.REMOVED) for ref, each in old.items() if ref not in new]
    for ref, each in new.items():
        before = old.get(ref)
        if before is not None and not _is_same(before.body, each.body):
            found.append(_make_diff(each, Action.CHANGED, before=before))
    places = list(Action)
    return tuple(sorted(found, key=lambda each: (each.service, places.index(each.action), each.ref)))


def diff_values(old: Any, new: Any) -> tuple[FieldDiff, ...]:
    """Every smallest part of two JSON values that differs. A null and nothing are alike; 1 and true are not."""
    return tuple(_diff(old, new, ()))


def is_record(ref: ObjectRef) -> bool:
    """Whether it is one of the ConfigMaps in which jsorc keeps its settings and what it knows of a service."""
    return ref.group_kind == ("", "ConfigMap") and ref.name.startswith((RECORD_PREFIX, settings_name("")))


def open_record(manifest: Manifest) -> Body:
    """The body of a record with the JSON in its data parsed; other bodies, and broken records, as they are."""
    body = manifest.body
    if not is_record(manifest.ref):
        return body
    try:
        return {**body, "data": {key: json.loads(text) for key, text in body["data"].items()}}
    except (ValueError, TypeError, KeyError, AttributeError):
        return body


def _make_diff(manifest: Manifest, action: Action, *, before: Manifest | None = None) -> ObjectDiff:
    if action is Action.ADDED:
        fields: tuple[FieldDiff, ...] = (FieldDiff(path=(), before=None, after=manifest.body),)
    elif before is None:
        fields = (FieldDiff(path=(), before=manifest.body, after=None),)
    else:
        fields = diff_values(open_record(before), open_record(manifest))
    return ObjectDiff(ref=manifest.ref, service=manifest.service, action=action, fields=fields)


def _is_same(old: Any, new: Any) -> bool:
    """Equality as JSON has it: 1 and true are equal to Python, and different to Kubernetes."""
    if old is new:
        return True
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        return len(old) == len(new) and all(key in new and _is_same(old[key], new[key]) for key in old)
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_is_same, old, new))
    return bool(old == new)


def _diff(old: Any, new: Any, path: Path) -> Iterator[FieldDiff]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _diff(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        if not _is_same(old, new):
            yield from _diff_lists(old, new, path)
    elif not _is_same(old, new):
        yield FieldDiff(path=path, before=old, after=new)


def _diff_lists(old: list[Any], new: list[Any], path: Path) -> Iterator[FieldDiff]:
    for keys in _LIST_KEYS:
        before, after = _index(old, keys), _index(new, keys)
        if before is not None and after is not None:
            yield from _diff_named(before, after, path)
            return
    yield from _diff_aligned(old, new, path)


def _index(items: Sequence[Any], keys: Sequence[str]) -> dict[str, Any] | None:
    """The items by their step in a path; None where the keys do not tell all of them apart."""
    found = {}
    for item in items:
        values = {key: _value_of(item, key) for key in keys}
        if not isinstance(values[keys[0]], str | int):
            return None
        spelled = ",".join(f"{key}={json.dumps(value)}" for key, value in values.items() if value is not None)
        found[f"[{spelled}]"] = item
    return found if len(found) == len(items) else None


def _value_of(item: Any, key: str) -> Any:
    for step in key.split("."):
        item = item.get(step) if isinstance(item, dict) else None
    return "TCP" if key == "protocol" and item is None else item


def _diff_named(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> Iterator[FieldDiff]:
    for step in {**old, **new}:
        yield from _diff(old.get(step), new.get(step), (*path, step))
    before = [step for step in old if step in new]
    after = [step for step in new if step in old]
    if before != after:
        yield FieldDiff(path=path, before=before, after=after, reordered=True)


def _diff_aligned(old: list[Any], new: list[Any], path: Path) -> Iterator[FieldDiff]:
    """Places are those of the new list, and for what is removed those of the old one."""
    before, after = ([json.dumps(item, sort_keys=True) for item in side] for side in (old, new))
    if sorted(before) == sorted(after):
        yield FieldDiff(path=path, before=old, after=new, reordered=True)
    elif max(len(old), len(new)) > _LONGEST_ALIGNED:
        yield FieldDiff(path=path, before=old, after=new)
    else:
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        for word, old_from, old_to, new_from, new_to in matcher.get_opcodes():
            if word == "equal":
                continue
            if old_to - old_from == new_to - new_from:
                for shift in range(old_to - old_from):
                    place = new_from + shift
                    yield from _diff(old[old_from + shift], new[place], (*path, f"[{place}]"))
                continue
            for place in range(old_from, old_to):
                yield FieldDiff(path=(*path, f"[{place}]"), before=old[place], after=None)
            for place in range(new_from, new_to):
                yield FieldDiff(path=(*path, f"[{place}]"), before=None, after=new[place])

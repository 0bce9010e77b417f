"""JsOrc's shapes of a kube config, flattened to the objects they hold; nothing is added or changed.

JsOrc has had three: {kind: [object, …]}, {kind: {name: object}} and, in the configs of actions, {kind: object}.
A list of objects and a single object are taken as well, and any of these within a list.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Body

# Notes that JsOrc keeps beside the kinds: what it had created before, and the consent to delete claims.
_NOTES = frozenset({"__OLD_CONFIG__", "__UNSAFE_PARAPHRASE__"})


def flatten_objects(value: Any, *, where: str) -> list[Body]:
    """The objects of any of the shapes, as written; none for None. Raises DefinitionError naming the odd part."""
    return [] if value is None else list(_flatten(value, where))


def _flatten(value: Any, where: str) -> Iterator[Body]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _flatten(each, f"{where}[{index}]")
    elif _is_object(value):
        yield value
    elif isinstance(value, Mapping):
        for kind, below in value.items():
            if kind not in _NOTES:
                yield from _flatten_kind(kind, below, f"{where}: {kind}")
    else:
        raise DefinitionError(f"{where}: neither an object nor a mapping or list of objects, but {value!r:.50}")


def _flatten_kind(kind: str, value: Any, where: str) -> Iterator[Body]:
    """What lies below one kind: a list, an object, or objects by their names."""
    named: list[tuple[str, Any, str | None]]
    if isinstance(value, list):
        named = [(f"{where}[{index}]", each, None) for index, each in enumerate(value)]
    elif isinstance(value, Mapping) and not _is_object(value):
        named = [(f"{where}.{name}", each, name) for name, each in value.items()]
    else:
        named = [(where, value, None)]
    for place, each, name in named:
        if not _is_object(each):
            raise DefinitionError(f"{place}: must be an object of kind {kind}, not {each!r:.50}")
        if each.get("kind", kind) != kind:
            raise DefinitionError(f"{place}: an object of kind {each['kind']} stands below {kind}")
        metadata = each.get("metadata")
        own_name = metadata.get("name") if isinstance(metadata, Mapping) else None
        if name and own_name and own_name != name:
            raise DefinitionError(f"{place}: metadata.name says {own_name!r}")
        yield each


def _is_object(value: Any) -> bool:
    """Whether it is an object, perhaps one that lacks something."""
    if not isinstance(value, Mapping):
        return False
    metadata = value.get("metadata")
    named = isinstance(metadata, Mapping) and isinstance(metadata.get("name"), str)
    return named or any(isinstance(value.get(key), str) for key in ("apiVersion", "kind"))

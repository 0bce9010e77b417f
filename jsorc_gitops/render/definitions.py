"""The schemas of Kubernetes' own kinds, out of the OpenAPI definitions of one release.

The text is 1.6 MB and holds 771 definitions; a tree needs those that its kinds reach, so only these are parsed.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from json import JSONDecoder
from typing import Any

from jsorc_gitops.model.fields import find_near
from jsorc_gitops.render.schemas import QUANTITY, Schema

RELEASE = "1.36"
METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

_HEADING = re.compile(r'"(io\.k8s\.[^"]+)"\s*:\s*\{')
_REFERENCE = re.compile(r'"#/\$defs/([^"]+)"')
# The meta types of every group list each group that Kubernetes has, or had, as its own.
_EVERY_GROUP = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"

NOT_NULL = ["array", "boolean", "integer", "number", "object", "string"]

_BITS = {"int32": 31, "int64": 63}

# What OpenAPI cannot say of a number with a unit, and of a number that may be a name or a percentage.
_REPLACED: Mapping[str, Schema] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["null", "number", "string"], "pattern": QUANTITY},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "type": ["integer", "null", "string"],
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
    },
}


class Definitions:
    """The definitions in one text, parsed as they are asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._places = {match[1]: match.end() - 1 for match in _HEADING.finditer(text)}
        self._decoder = JSONDecoder(object_hook=_prepare)
        self._parsed: dict[str, tuple[Schema, frozenset[str]]] = {}
        self._by_kind = defaultdict(list)
        for name in self._places:
            self._by_kind[name.rpartition(".")[2]].append(name)
        self.groups = frozenset(each["group"] for each in self._list_kinds(_EVERY_GROUP))

    def make_schema(self, api_version: str, kind: str) -> Schema | None:
        """The schema of one kind with all that it refers to; None where there is no such kind."""
        name = self._find(kind).get(api_version)
        return None if name is None else {"$ref": f"#/$defs/{name}", "$defs": self.reach(name)}

    def reach(self, name: str) -> Schema:
        """A definition and all that it refers to, by name."""
        found: Schema = {}
        pending = [name]
        while pending:
            name = pending.pop()
            if name not in found:
                found[name], references = self._parse(name)
                pending.extend(references)
        return found

    def explain_absence(self, api_version: str, kind: str) -> str:
        """Why there is no such kind, and what to write instead."""
        versions = self._find(kind)
        group = api_version.rpartition("/")[0]
        here = [each for each in versions if each.rpartition("/")[0] == group]
        absent = f"Kubernetes {RELEASE} serves no {kind} of {api_version}"
        if others := here or list(versions):
            return f"{absent}; write apiVersion: {' or '.join(sorted(others))}"
        near = find_near(kind, [each for each in self._by_kind if self._find(each)])
        return f"{absent}; did you mean kind: {near}?" if near else f"{absent}, nor of another version"

    def _find(self, kind: str) -> dict[str, str]:
        """The API versions of a kind, each with the name of its definition."""
        found = {}
        for name in self._by_kind.get(kind, ()):
            for each in self._list_kinds(name):
                api_version = f"{each['group']}/{each['version']}" if each["group"] else each["version"]
                # A definition of all groups (DeleteOptions, WatchEvent) is part of the protocol, no object.
                if each["kind"] == kind and len(self._list_kinds(name)) == 1:
                    found[api_version] = name
        return found

    def _list_kinds(self, name: str) -> list[dict[str, str]]:
        return self._parse(name)[0].get("x-kubernetes-group-version-kind", [])  # type: ignore[no-any-return]

    def _parse(self, name: str) -> tuple[Schema, frozenset[str]]:
        """A definition, and the names of those that it refers to."""
        if name not in self._parsed:
            start = self._places[name]
            schema, end = self._decoder.raw_decode(self._text, start)
            schema = _REPLACED.get(name, schema)
            # Every spec is optional in OpenAPI, also where something in it is required.
            spec = schema.get("properties", {}).get("spec", {})
            if "$ref" in spec and "required" in self._parse(spec["$ref"].rpartition("/")[2])[0]:
                schema["required"] = sorted({*schema.get("required", ()), "spec"})
                _refuse_null(spec)
            self._parsed[name] = schema, frozenset(_REFERENCE.findall(self._text, start, end))
        return self._parsed[name]


def _prepare(schema: dict[str, Any]) -> Schema:
    """Drop what is for readers, and say what only Kubernetes knows in the words of JSON Schema.

    Called for every mapping, so also for those of properties by name; a schema's own words are no mappings.
    """
    if isinstance(schema.get("description"), str):
        del schema["description"]
    if schema.get("x-kubernetes-list-type") == "set":
        schema["uniqueItems"] = True
    add_bounds(schema)
    required = schema.get("required")
    if isinstance(required, list):
        for name in required:
            _refuse_null(schema["properties"][name])
    # The server refuses null in most lists, and makes something empty of it in the others. In JSON (the enum
    # of a CRD's schema) it is a value like any other.
    is_list = schema.get("type") in ("array", ["array", "null"])
    if is_list and not schema["items"].get("$ref", "").endswith(".JSON"):
        _refuse_null(schema["items"])
    return schema


def _refuse_null(schema: Schema) -> None:
    types = schema.get("type", NOT_NULL)
    schema["type"] = [each for each in types if each != "null"] if isinstance(types, list) else types


def add_bounds(schema: Schema) -> None:
    """Give numbers of a format the bounds of that format."""
    if bits := _BITS.get(str(schema.get("format"))):
        schema.setdefault("minimum", -(2**bits))
        schema.setdefault("maximum", 2**bits - 1)

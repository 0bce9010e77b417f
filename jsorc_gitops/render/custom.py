"""The schemas of custom kinds, out of the CustomResourceDefinitions that lie in the same tree.

A structural schema (kubernetes.io/docs: Extend the Kubernetes API with CustomResourceDefinitions) drops what
it does not name; as a JSON schema it refuses that. CEL rules (x-kubernetes-validations) are left to the server.
"""

from collections.abc import Mapping
from typing import Any

from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.render.definitions import METADATA, Definitions, add_bounds
from jsorc_gitops.render.schemas import LIST_KEYS, Schema

# Words, and formats, that mean the same in both: a duration is not among them, Go's is 1h, others' PT1H.
_SAME = frozenset(
    {
        LIST_KEYS,
        "default",
        "enum",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "pattern",
        "required",
    }
)
_FORMATS = frozenset({"byte", "date", "date-time", "int32", "int64", "ipv4", "ipv6"})
_LOGIC = ("allOf", "anyOf", "oneOf")


def list_versions(definition: Manifest) -> dict[str, Schema]:
    """The API versions that a CustomResourceDefinition serves, each with its structural schema."""
    spec = definition.body["spec"]
    return {
        f"{spec['group']}/{version['name']}": (version.get("schema") or {}).get("openAPIV3Schema") or {}
        for version in spec["versions"]
        if version["served"]
    }


def make_custom_schema(structural: Mapping[str, Any], definitions: Definitions) -> Schema:
    """The JSON schema of a custom kind; its metadata are those of every object."""
    schema = _convert(structural, closed=True)
    properties = schema.setdefault("properties", {})
    narrower = properties.get("metadata", {}).get("properties", {})
    properties |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": f"#/$defs/{METADATA}", "properties": narrower},
    }
    return {**schema, "$defs": definitions.reach(METADATA)}


def _convert(structural: Mapping[str, Any] | None, *, closed: bool) -> Schema:
    """`closed`: fields it does not name are refused, as everywhere but below anyOf and its like."""
    structural = structural or {}
    schema: Schema = {word: value for word, value in structural.items() if word in _SAME}
    if structural.get("format") in _FORMATS:
        schema["format"] = structural["format"]
        add_bounds(schema)
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if structural.get(word) and bound in schema:
            schema[word] = schema.pop(bound)
    if structural.get("x-kubernetes-list-type") == "set":
        schema["uniqueItems"] = True
    if isinstance(structural.get("items"), Mapping):
        schema["items"] = _convert(structural["items"], closed=closed)
    for word in _LOGIC:
        if word in structural:
            schema[word] = [_convert(each, closed=False) for each in structural[word]]
    if "not" in structural:
        schema["not"] = _convert(structural["not"], closed=False)
    _convert_type(structural, schema)
    _convert_fields(structural, schema, closed=closed)
    return schema


def _convert_type(structural: Mapping[str, Any], schema: Schema) -> None:
    types = [structural["type"]] if structural.get("type") else []
    if structural.get("x-kubernetes-int-or-string"):
        types = ["integer", "string"]
    filled_in = "default" in structural  # in the place of null, too
    if filled_in and "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    if types:
        schema["type"] = types + ["null"] * (filled_in or bool(structural.get("nullable")))


def _convert_fields(structural: Mapping[str, Any], schema: Schema, *, closed: bool) -> None:
    named = structural.get("properties") or {}
    properties = {name: _convert(each, closed=closed) for name, each in named.items()}
    if "required" in schema:  # defaults are filled in before anything is required
        schema["required"] = [name for name in schema["required"] if "default" not in (named.get(name) or {})]
    if structural.get("x-kubernetes-embedded-resource"):
        text = {"type": "string"}
        properties = {"apiVersion": text, "kind": text, **properties, "metadata": {"$ref": f"#/$defs/{METADATA}"}}
        schema["required"] = [*schema.get("required", ()), "apiVersion", "kind"]
    if properties:
        schema["properties"] = properties
    additional = structural.get("additionalProperties")
    if isinstance(additional, Mapping):
        schema["additionalProperties"] = _convert(additional, closed=closed)
    elif closed and structural.get("type") == "object" and not additional:
        schema["properties"] = properties
        schema["additionalProperties"] = bool(structural.get("x-kubernetes-preserve-unknown-fields"))

"""Schemas: how they are cut out of one text, compiled, and what they say."""

import json
from typing import Any

import pytest

from jsorc_gitops.adapters.schemas import read_kubernetes_schemas
from jsorc_gitops.render.definitions import METADATA, Definitions
from jsorc_gitops.render.findings import Rule
from jsorc_gitops.render.schemas import QUANTITY, SchemaError, compile_schema


def list_references(value: Any) -> set[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(value, list):
        return set().union(*map(list_references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(list_references, value.values()))


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    """The definitions of Kubernetes."""
    return Definitions(read_kubernetes_schemas())


def test_a_kind_comes_with_all_it_refers_to(definitions: Definitions) -> None:
    """And with nothing else: a tree pays for the kinds it has."""
    schema = definitions.make_schema("apps/v1", "Deployment")

    assert schema is not None
    assert list_references(schema) == schema["$defs"].keys()
    assert 100 < len(schema["$defs"]) < 200


def test_every_definition_is_found(definitions: Definitions) -> None:
    """Cut out one by one they have the same fields as read whole."""
    whole = json.loads(read_kubernetes_schemas())["$defs"]

    for name, definition in whole.items():
        found = definitions.reach(name)[name]
        assert found.get("properties", {}).keys() == definition.get("properties", {}).keys()


def test_every_kind_compiles(definitions: Definitions) -> None:
    """No kind of Kubernetes has a schema that cannot be used."""
    whole = json.loads(read_kubernetes_schemas())["$defs"]
    kinds = {
        (f"{each['group']}/{each['version']}".lstrip("/"), each["kind"])
        for definition in whole.values()
        if len(found := definition.get("x-kubernetes-group-version-kind", [])) == 1
        for each in found
    }

    assert len(kinds) > 150
    for kind in kinds:
        schema = definitions.make_schema(*kind)
        assert schema is not None, kind
        assert compile_schema(schema).check_value(5) != []


def test_metadata_are_closed(definitions: Definitions) -> None:
    """The metadata of custom resources are checked by this definition, too."""
    schema = {"$ref": f"#/$defs/{METADATA}", "$defs": definitions.reach(METADATA)}

    assert [each.rule for each in compile_schema(schema).check_value({"nam": "x"})] == [Rule.UNKNOWN_FIELD]


GOOD_QUANTITIES = ["1", "+1", "0.5", ".5", "1.", "100m", "1Ki", "1.5Gi", "1e3", "1E-3", "1E", "5n"]
BAD_QUANTITIES = [
    "",
    "m",
    ".",
    "1 Gi",
    "1GB",
    "1gi",
    "1mi",
    "1e",
    "0x10",
    "1,5",
    "1Gi\n",
    "\uff15",
    "1e+",
    "1_000",
]


@pytest.mark.parametrize("text", GOOD_QUANTITIES)
def test_quantities(text: str) -> None:
    """The grammar of apimachinery's resource.Quantity."""
    assert compile_schema({"type": "string", "pattern": QUANTITY}).check_value(text) == []


@pytest.mark.parametrize("text", BAD_QUANTITIES)
def test_what_is_no_quantity(text: str) -> None:
    """Nearly one is none."""
    (mistake,) = compile_schema({"type": "string", "pattern": QUANTITY}).check_value(text)

    assert mistake.message.endswith("is no quantity; write it as 500m, 0.5 or 1Gi")


@pytest.mark.parametrize(
    "schema", [{"type": "nothing"}, {"pattern": "("}, {"pattern": "(?=a)"}, {"$ref": "http://x/"}]
)
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any]) -> None:
    """Nothing is fetched for it, and no pattern runs away."""
    with pytest.raises(SchemaError):
        compile_schema(schema)


def test_a_secret_is_never_quoted() -> None:
    """Not by us, and not in the words of the library."""
    schema = {"properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}, "c": {"maxLength": 1}}}

    told = compile_schema(schema, secret=True).check_value({"a": "hunter2", "b": "hunter2", "c": "hunter2"})

    assert len(told) == 3
    assert not any("hunter2" in each.message for each in told)


def test_repeats_are_found_among_all_kinds_of_items() -> None:
    """As JSON compares: 1.0 is 1, true is not, and a text is never a list or a mapping."""
    items = [1, True, 1.0, [True], "[true]", [1], {"a": 1, "b": 2}, [True], {"b": 2, "a": 1}, None]

    told = compile_schema({"uniqueItems": True}).check_value(items)

    assert [each.path for each in told] == [(2,), (7,), (8,)]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "schema", [{"uniqueItems": True}, {"items": {"type": "integer"}}, {"items": {"enum": ["y"]}}]
)
def test_a_long_list_of_mistakes_is_cut_short(schema: dict[str, Any]) -> None:
    """A hundred are told, then how many more there are; it takes no time that grows with the square."""
    items = [f"{index // 2}" for index in range(60_000)]

    told = compile_schema({"properties": {"a": schema}}).check_value({"a": items})

    assert len(told) == 101
    more = 29_900 if "uniqueItems" in schema else 59_900
    assert (told[-1].path, told[-1].message) == (("a",), f"has {more:,} more mistakes")


def test_each_list_has_its_own_mistakes() -> None:
    """Mistakes in one list leave those of others, and of mappings, to be told."""
    texts = {"type": "array", "items": {"type": "string"}}
    schema = {"items": {"properties": {"a": texts, "b": texts}}, "type": "array"}

    told = compile_schema(schema).check_value([{"a": [1] * 90, "b": [2] * 90}, {"a": [3] * 90, "b": 4}])

    assert len(told) == 271

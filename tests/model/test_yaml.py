"""What is read is what kubectl reads, or refused with its place; test_yaml_real asks kubectl."""

import importlib.util
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model import yaml as ours
from jsorc_gitops.model.document import Document
from jsorc_gitops.model.yaml import format_documents, format_yaml, parse_documents
from tests.model.strategies import mappings, same_examples, spell_json, spell_python, yaml_like

styles = st.fixed_dictionaries(
    {
        "default_style": st.sampled_from(["", "'", '"', "|", ">"]),
        "default_flow_style": st.booleans(),
        "canonical": st.booleans(),
        "allow_unicode": st.booleans(),
    }
)


def read(text: str) -> list[Any]:
    return [document.value for document in parse_documents(text, source="x.yaml")]


def complaint(text: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        parse_documents(text, source="x.yaml")
    return str(caught.value)


@pytest.fixture(scope="module")
def without_libyaml() -> ModuleType:
    """The module as it is where PyYAML came without libyaml."""
    spec = importlib.util.find_spec(ours.__name__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader")
        spec.loader.exec_module(module)
    return module


def read_by(module: ModuleType, text: str) -> list[tuple[str, int]] | None:
    """The documents with their lines, None where they are refused."""
    try:
        return [(repr(each.value), each.line) for each in module.parse_documents(text, source="x.yaml")]
    except DefinitionError:
        return None


@pytest.mark.parametrize(
    "text", ["", "\n", "# a comment\n", "---\n---\n", "null\n", "---\n# a\n...\n", "--- ~\n---"]
)
def test_empty_documents_are_left_out(text: str) -> None:
    """A document without a value is no document."""
    assert parse_documents(text, source="x.yaml") == []


def test_documents_know_their_lines() -> None:
    """Each document says on which line its value begins."""
    documents = parse_documents("# first\na: 1\n---\n\nb: 2\n---\n--- \n- c\n---\n", source="x.yaml")

    assert [(each.value, each.line) for each in documents] == [({"a": 1}, 2), ({"b": 2}, 5), (["c"], 8)]


@pytest.mark.parametrize(
    "text", ["2026-11-23", "2026-11-23T10:00:00Z", "22:22", "1:30.5", "-1:30", "=", "<<", "yEs"]
)
def test_what_kubectl_takes_for_a_text_is_one(text: str) -> None:
    """Dates and pairs of numbers, which YAML 1.1 would make something of, are texts."""
    assert read(f"a: {text}") == [{"a": text}]


def test_numbers_and_booleans_are_read_as_kubectl_reads_them() -> None:
    """Octal modes, underscores and YAML 1.1's words for true and false mean what they mean to kubectl."""
    [value] = read("[0644, 0o644, 0x1F, 0b11, 1_000, +_1, 08, 1e3, .5, 2.0, yes, Off, y, N, ~, ]")

    assert repr(value) == "[420, 420, 31, 3, 1000, 1, 8.0, 1000.0, 0.5, 2.0, True, False, True, False, None]"


@pytest.mark.parametrize(
    ("number", "value"),
    [
        *[
            ("9223372036854775807", 2**63 - 1),
            ("-9223372036854775808", -(2**63)),
            ("9223372036854775808", 2.0**63),
        ],
        *[("0xFFFFFFFFFFFFFFFF", 2.0**64), ("0x10000000000000000", "0x10000000000000000"), ("1e400", "1e400")],
        *[("9" * 400, "9" * 400), ("0" * 5000 + "8", 8.0), ("0" * 5000 + "7", 7), ("0." + "3" * 100, 1 / 3)],
    ],
)
def test_large_numbers_are_read_as_kubectl_reads_them(number: str, value: object) -> None:
    """An integer beyond 64 bits is a float, and what is beyond floats a text, however many digits there are."""
    assert repr(read(f"- {number}")) == repr([[value]])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 1", "1"),
        ("!!str", ""),
        ("!!int '0x1F'", 31),
        ("!!float 1", 1.0),
        ("!!bool on", True),
        ("!!null ''", None),
        ("!!map {a: !!seq [1]}", {"a": [1]}),
        ("!<tag:yaml.org,2002:str> 12", "12"),
    ],
)
def test_tags_of_what_json_can_say_are_read(text: str, value: object) -> None:
    """A tag may say that 1 is a text: only those that JSON has no word for are refused."""
    assert repr(read(f"- {text}")) == repr([[value]])


def test_what_an_anchor_names_is_read_wherever_it_is_repeated() -> None:
    """Anchors are an author's abbreviation, of mappings, lists and scalars; a name may be given anew."""
    text = "a: &x {b: [1]}\nc: *x\nd: &y !!str 1\ne: [*y, *x]\nf: &y 2\ng: *y\n"

    assert read(text) == [
        {"a": {"b": [1]}, "c": {"b": [1]}, "d": "1", "e": ["1", {"b": [1]}], "f": 2, "g": 2},
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{<<: *a, x: 2}", {"x": 2, "y": 1}),
        ("{<<: {z: 3}}", {"z": 3}),
        ("{<<: [*a, {x: 5, w: 5}]}", {"x": 1, "y": 1, "w": 5}),
        ("{<<: *a, <<: {x: 5}}", {"x": 5, "y": 1}),
        ("{w: 0, <<: *a, x: 2}", {"w": 0, "x": 2, "y": 1}),
        ("{'<<': *a}", {"<<": {"x": 1, "y": 1}}),
    ],
)
def test_what_merges_bring_in(text: str, value: object) -> None:
    """`<<` brings in the keys of mappings: the first of a list wins, a key of the mapping's own wins over all."""
    assert read(f"[&a {{x: 1, 'y': 1}}, {text}]")[0][1] == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("  b: 1\n  c: 2\n  b: 3\n", ":5: not valid YAML: the key 'b' is there twice"),
        ("  <<: *x\n  a: 3\n  a: 4\n", ":5: not valid YAML: the key 'a' is there twice"),
        ("  a: 3\n  <<: *x\n", ":4: not valid YAML: << brings in 'a', which stands above it; put << first"),
        ("  <<: [*x, 1]\n", ":3: not valid YAML: << takes a mapping, or a list of them"),
        ("  <<: 1\n", ":3: not valid YAML: << takes a mapping, or a list of them"),
        ("  b: 1\n  1: b\n", ":4: not valid YAML: the key '1' is not a text to kubectl; put it in quotes"),
        ("  y: b\n", ":3: not valid YAML: the key 'y' is not a text to kubectl; put it in quotes"),
        ("  ~: b\n", ":3: not valid YAML: the key '~' is not a text to kubectl; put it in quotes"),
        ("  [a]: b\n", ":3: not valid YAML: the key ['a'] is not a text to kubectl; put it in quotes"),
    ],
)
def test_keys_are_texts_and_there_once(text: str, problem: str) -> None:
    """Of two values for one key none is silently dropped, and no key is silently turned into a text."""
    assert complaint(f"- &x {{a: 1}}\n-\n{text}") == f"x.yaml{problem}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2\n", ":2: not valid YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
        ("a: 'x\n", ":2: not valid YAML: while scanning a quoted scalar, found unexpected end of stream"),
        ("a: b: c\n", ":1: not valid YAML: mapping values are not allowed in this context"),
        ("a: 1\nb: *x\n", ":2: not valid YAML: the alias *x names no anchor above it"),
        ("--- &x 1\n--- *x\n", ":2: not valid YAML: the alias *x names no anchor above it"),
        ("a: &x [1,\n  *x]\n", ":2: not valid YAML: the alias *x names itself"),
        ("&x {a: {<<: *x}}\n", ":1: not valid YAML: the alias *x names itself"),
        ('a: "\\ud800"\n', ":1: not valid YAML: while parsing a quoted scalar, found invalid Unicode"),
        ("a: 1\nb: [.nan]\n", ":2: not valid YAML: .nan is no number with digits"),
        ("a: 1\nb: -.INF\n", ":2: not valid YAML: -.INF is no number with digits"),
        ("a: 1\n+.inf: b\n", ":2: not valid YAML: +.inf is no number with digits"),
    ],
)
def test_broken_yaml_is_refused_with_its_line(text: str, message: str) -> None:
    """What is not YAML is refused with the file, the line, and what is wrong."""
    assert complaint(text).startswith(f"x.yaml{message}")


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        *[
            ("!!binary aGk=", "!!binary"),
            ("!!set {a}", "!!set"),
            ("!!omap [a: 1]", "!!omap"),
            ("!mine x", "!mine"),
        ],
        *[
            ("!mine {a: 1}", "!mine"),
            ("! 12", "!"),
            ("!!int x", "!!int"),
            ("!!map [a]", "!!map"),
            ("!!seq x", "!!seq"),
        ],
        *[("!!timestamp 2026-11-23", "!!timestamp"), ("!!python/name:os.system x", "!!python/name:os.system")],
    ],
)
def test_other_tags_are_refused(value: str, tag: str) -> None:
    """Kubernetes is told everything in JSON, so a tag that JSON has no word for is refused with its line."""
    assert complaint(f"a: 1\nb: {value}\n") == (
        f"x.yaml:2: not valid YAML: the tag {tag} does not fit here; leave it out"
    )


def test_lines_of_keys_and_items() -> None:
    """Each key and list item knows its line; what is not there has its parent's."""
    text = "# settings\na: 1\nlist:\n- x\n- w: 2\n  z: 3\nflow: {k: [1,\n  2]}\nlast: [[x],\n {}, b]\n"
    [_, document] = parse_documents(f"none: 0\n---\n{text}", source="x.yaml")
    paths: list[tuple[str | int, ...]] = [
        *[("a",), ("list",), ("list", 0), ("list", 1), ("list", 1, "z"), ("flow", "k", 1), ("last", 2)],
        *[("list", 1, "gone", "x"), ("list", 7), ("list", "w"), ("a", "b"), ("a", 0), ("gone",), (0,), ()],
    ]

    assert [document.line_of(*path) - 2 for path in paths] == [2, 3, 4, 5, 6, 8, 10, 5, 3, 3, 2, 2, 2, 2, 2]


def test_lines_of_what_was_merged_or_repeated() -> None:
    """What came by << or an alias has the line of the mapping or the key that it came to."""
    [document] = parse_documents("a: &x {b: 1}\nc:\n  <<: *x\nd: *x\n? e\n: f\n", source="x.yaml")

    assert [document.line_of(*path) for path in (("c", "b"), ("d", "b"), ("e",), ("c", "<<"))] == [2, 4, 5, 3]


def test_a_document_from_nowhere_has_a_line_too() -> None:
    """What stands for an absent file complains of line 1."""
    assert Document({}).line_of("a", 0) == 1


@same_examples
@given(st.lists(mappings, max_size=3), styles)
def test_without_libyaml_the_same_is_read(
    without_libyaml: ModuleType, written: list[Any], style: dict[str, Any]
) -> None:
    """PyYAML's own parser gives the same values and lines as libyaml, for YAML of every style."""
    for text in (format_documents(written), yaml.safe_dump_all(written, width=20, **style)):
        assert read_by(without_libyaml, text) == read_by(ours, text)
    assert [spell_json(each) for each in read(format_documents(written))] == [
        spell_json(each) for each in written
    ]


@same_examples
@given(yaml_like)
def test_without_libyaml_nothing_else_is_read(without_libyaml: ModuleType, text: str) -> None:
    """Of a text that is hardly YAML the parsers read the same or refuse it, always with an error of ours."""
    one, other = read_by(without_libyaml, text), read_by(ours, text)

    assert one == other or one is None or other is None


@same_examples
@given(yaml_like)
def test_what_was_read_can_be_written(text: str) -> None:
    """Whatever is read can be written, and is read again as the same."""
    try:
        values = read(text)
    except DefinitionError:
        return

    assert [spell_python(read(format_yaml(each))) for each in values] == [spell_python([each]) for each in values]

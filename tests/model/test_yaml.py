"""YAML both ways: what is written is read the same by every reader, what is read is what JSON can say."""

from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.yaml import Document, format_documents, format_yaml, parse_documents

# Texts that some YAML 1.1 reader, Go's among them, takes for something else where they are not quoted.
_WORDS = """
y Y n N yes Yes NO on On OFF true True FALSE null Null NULL ~ = << nan NaN inf INF
0 1 -1 +1 012 0o17 0x1F 0xdead 0b11 1_000 1,000 1. .5 -.5 +.5 1.5 1e3 1E+3 1.e-3 -1e3 685_230.15
1:30 22:22 22:22:22 190:20:30.15 .inf -.inf +.INF .nan .NaN 2026-11-23 2026-11-23T10:00:00Z
2001-1-1t1:59:43.10-05:00
- ? : @x `x %x !x &x *x | > { } [ ] , #x ' " --- ...
"""
MISREAD = [
    *_WORDS.split(),
    "",
    " ",
    "x ",
    " x",
    "a: b",
    "a #b",
    "a:",
    "- a",
    "? a",
    "2001-12-14 21:59:43.10 -5",
    "\t",
]

PLAIN = ["redis:7.2", "apps/v1", "100m", "8Gi", "nobody", "yess", "a b", "a#b", "--flag=x", "ü→", "a'b"]

BLOCKS = [
    "a\nb",
    "a\nb\n",
    "a\n\n\n",
    "\n",
    "\n\n",
    "\na",
    "  a\n b\n",
    "a \nb ",
    "a\n#b\n",
    "---\na\n",
    "a:\n- b\n",
]
ODD = [
    "\r",
    "a\r\nb",
    "a\tb",
    "a\t\nb",
    "\u2028",
    "a\u2029\nb",
    "\x85",
    "\x07",
    "\ufeffa",
    "\xa0",
    "😀",
    "x" * 5000,
]


def read(text: str) -> list[Any]:
    return [document.value for document in parse_documents(text, source="x.yaml")]


def complaint(text: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        parse_documents(text, source="x.yaml")
    return str(caught.value)


@pytest.mark.parametrize("text", MISREAD)
def test_texts_that_a_reader_could_mistake_are_quoted(text: str) -> None:
    """A text that YAML 1.1 could take for a number, a boolean, a date or syntax stands in quotes."""
    written = format_yaml({"key": text})

    assert written.removeprefix("key: ")[0] in "'\""


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_are_not_quoted(text: str) -> None:
    """What nobody can mistake stays as people write it."""
    assert format_yaml({"key": text}) == f"key: {text}\n"


@pytest.mark.parametrize("text", [*MISREAD, *PLAIN, *BLOCKS, *ODD])
def test_texts_come_back_as_they_were(text: str) -> None:
    """Every text survives writing and reading: as a value, as a key, in a list, before another document."""
    values = [{"value": text, text: ["key", text]}, {"list": [text], "under": {text: text}}]

    assert read(format_documents(values)) == values


def test_other_values_come_back_as_they_were() -> None:
    """Numbers, booleans, nothing and empty collections survive writing and reading with their types."""
    value = {"a": [1, -2, 1.5, 1e20, 10**20, True, False, None], "b": {}, "c": [], "d": {"e": [[{"f": 0.0}]]}}
    [result] = read(format_yaml(value))

    assert repr(result) == repr(value)


def test_a_text_of_several_lines_is_a_block() -> None:
    """A file within a ConfigMap stays readable, whatever its lines begin with."""
    assert format_yaml({"data": {"f": "port 6379\n# no dumps\nsave: ''\n"}}) == (
        "data:\n  f: |\n    port 6379\n    # no dumps\n    save: ''\n"
    )


def test_keys_are_sorted_and_documents_parted() -> None:
    """The same values make the same bytes, in whatever order their keys were written."""
    assert format_documents([{"b": 1, "a": [{"d": 2, "c": 3}]}, {"e": {}}]) == (
        "a:\n- c: 3\n  d: 2\nb: 1\n---\ne: {}\n"
    )


def test_long_lines_are_not_folded() -> None:
    """A line of any length stays one line: a fold would be a difference nobody made."""
    assert format_yaml({"args": " ".join(["word"] * 500)}).count("\n") == 1


def test_what_stands_twice_is_written_twice() -> None:
    """Values that are shared in memory, and anchors of an author, are written out in full."""
    [value] = read("a: &x {b: [1]}\nc: *x\n")

    assert format_yaml(value) == "a:\n  b:\n  - 1\nc:\n  b:\n  - 1\n"


def test_what_yaml_cannot_say_is_a_type_error() -> None:
    """A value that is no plain data cannot be written; nothing of it is."""
    with pytest.raises(TypeError, match="nothing that YAML can say"):
        format_yaml({"a": {"b": object()}})


@pytest.mark.parametrize("text", ["", "\n", "# a comment\n", "---\n---\n", "null\n", "---\n# a\n...\n"])
def test_empty_documents_are_left_out(text: str) -> None:
    """A document without a value is no document."""
    assert parse_documents(text, source="x.yaml") == []


def test_documents_know_their_lines() -> None:
    """Each document says on which line its value begins."""
    documents = parse_documents("# first\na: 1\n---\n\nb: 2\n---\n--- \n- c\n", source="x.yaml")

    assert [(each.value, each.line) for each in documents] == [({"a": 1}, 2), ({"b": 2}, 5), (["c"], 8)]


@pytest.mark.parametrize("text", ["2026-11-23", "2026-11-23T10:00:00Z", "22:22", "1:30.5", "-1:30"])
def test_what_is_a_text_to_people_is_read_as_one(text: str) -> None:
    """Dates and pairs of numbers, which YAML 1.1 would make something of, are texts."""
    assert read(f"a: {text}") == [{"a": text}]


def test_numbers_and_booleans_are_read_as_kubectl_reads_them() -> None:
    """Octal modes, underscores and YAML 1.1's words for true and false mean what they mean to kubectl."""
    assert read("[0644, 0x1F, 1_000, 1.5, yes, Off, ~]") == [[420, 31, 1000, 1.5, True, False, None]]


def test_a_key_twice_is_refused() -> None:
    """Of two values for one key none is silently dropped: the message names file, line and key."""
    assert complaint("a:\n  b: 1\n  c: 2\n  b: 3\n") == "x.yaml:4: not valid YAML: the key 'b' is there twice"


def test_a_merged_key_may_be_overridden() -> None:
    """What `<<` brings in gives way to the mapping's own keys, which is what it is for."""
    text = "base: &base {a: 1, b: 1}\nmine:\n  <<: *base\n  a: 2\n"

    assert read(text) == [{"base": {"a": 1, "b": 1}, "mine": {"a": 2, "b": 1}}]


def test_a_key_twice_beside_a_merge_is_refused() -> None:
    """A merge does not hide that a mapping says one key twice itself."""
    text = "base: &base {a: 1}\nmine:\n  a: 2\n  <<: *base\n  a: 3\n"

    assert complaint(text) == "x.yaml:5: not valid YAML: the key 'a' is there twice"


@pytest.mark.parametrize(("key", "spelled"), [("1", "1"), ("yes", "True"), ("~", "None"), ("[a]", "['a']")])
def test_keys_are_texts(key: str, spelled: str) -> None:
    """A key that is no text, which JSON could not say, is refused: `on:` would become `True:`."""
    assert complaint(f"a: 1\n{key}: b\n") == (
        f"x.yaml:2: not valid YAML: the key {spelled} is not a text; put it in quotes"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a:\n\tb: 1\n",
            ":2: not valid YAML: while scanning for the next token, found character that cannot start",
        ),
        ("a: [1\nb: 2\n", ":2: not valid YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
        ("a: 'x\n", ":2: not valid YAML: while scanning a quoted scalar, found unexpected end of stream"),
        ("a: b: c\n", ":1: not valid YAML: mapping values are not allowed in this context"),
        ("a: *x\n", ":1: not valid YAML: found undefined alias"),
        ("a: &x [*x]\n", ":1: not valid YAML: found unconstructable recursive node"),
        ("a: \0\n", ": not valid YAML: unacceptable character #x0000"),
        ("a: \ud800\n", ": not valid YAML: 'utf-8' codec can't encode character"),
    ],
)
def test_broken_yaml_is_refused_with_its_line(text: str, message: str) -> None:
    """What is not YAML is refused with the file, the line where there is one, and what is wrong."""
    assert complaint(text).startswith(f"x.yaml{message}")


@pytest.mark.parametrize(
    "value",
    ["!!binary aGk=", "!!set {a}", "!!omap [a: 1]", "!!pairs [a: 1]", "!mine x", ".nan", "-.inf", f"{9**400}.0"],
)
def test_what_json_cannot_say_is_refused(value: str) -> None:
    """Kubernetes is told everything in JSON, so a value that JSON has no word for is refused with its line."""
    assert complaint(f"a: 1\nb: {value}\n").startswith("x.yaml:2: not valid YAML: ")


def test_lines_of_keys_and_items() -> None:
    """With `locate`, each key and list item knows its line; what is not there has its parent's."""
    text = "# settings\na: 1\nlist:\n- x\n- y: 2\n  z: 3\nflow: {k: [1,\n  2]}\n"
    [document] = parse_documents(text, source="x.yaml", locate=True)
    paths: list[tuple[str | int, ...]] = [
        *[("a",), ("list",), ("list", 0), ("list", 1), ("list", 1, "z"), ("flow", "k", 1)],
        *[("list", 1, "gone", "x"), ("gone",), ()],
    ]

    assert [document.line_of(*path) for path in paths] == [2, 3, 4, 5, 6, 8, 5, 2, 2]


def test_lines_are_found_only_where_asked_for() -> None:
    """Without `locate` every path has the document's line."""
    [document] = parse_documents("a: 1\nb: 2\n", source="x.yaml")

    assert document == Document({"a": 1, "b": 2}, 1, {})

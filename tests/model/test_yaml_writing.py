"""What is written is taken for the same by every reader; test_yaml_real asks Go's."""

from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from hypothesis import given

from jsorc_gitops.model.emitter import MAX_DEPTH
from jsorc_gitops.model.scalars import resolve_plain
from jsorc_gitops.model.yaml import format_documents, format_yaml, parse_documents
from tests.model.strategies import (
    ENDLESS,
    LINES,
    SYNTAX,
    TEXTS,
    WORDS,
    number_like,
    same_examples,
    spell_json,
    spell_python,
    values,
)


def read(text: str) -> list[Any]:
    return [document.value for document in parse_documents(text, source="x.yaml")]


def nest(depth: int) -> list[Any]:
    """That many lists within one another."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("text", [*WORDS, *ENDLESS, *SYNTAX, "", " ", "x ", " x", "a: b", "a #b", "- a", "\tx"])
def test_texts_that_a_reader_could_mistake_are_quoted(text: str) -> None:
    """A text that some reader could take for a number, a boolean, a date or syntax stands in quotes."""
    assert format_yaml({"key": text}).removeprefix("key: ")[0] in "'\""


@pytest.mark.parametrize(
    "text",
    [
        *["redis:7.2", "apps/v1", "100m", "8Gi", "nobody", "yess", "a b", "a  b", "a#b", "a:b", "--flag=x", "-c"],
        *[
            "ü→",
            "😀",
            "a'b",
            'a"b',
            "../x",
            "v1",
            "x-1",
            "a, b",
            "$(HOME)",
            "user@host",
            "(a)",
            "/",
            "yes, no",
            "==",
        ],
    ],
)
def test_other_texts_are_not_quoted(text: str) -> None:
    """What nobody can mistake stays as people write it, as a value, a key and an item."""
    assert format_yaml({"key": text}) == f"key: {text}\n"
    assert format_yaml({text: [text]}) == f"{text}:\n- {text}\n"


@same_examples
@given(number_like)
def test_no_number_goes_unquoted(text: str) -> None:
    """Whatever Go or PyYAML would take for something other than a text stands in quotes."""
    plain = format_yaml(text) == f"{text}\n"

    assert not plain or (resolve_plain(text) == text and yaml.safe_load(text) == text)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back_as_they_were(text: str) -> None:
    """Every text survives writing and reading: as a value, as a key, in lists, before another document."""
    written = [
        {"value": text, text: ["key", text]},
        {"list": [[text], {text: text}], "under": {text: {text: text}}},
    ]

    assert read(format_documents(written)) == written
    assert list(yaml.safe_load_all(format_documents(written))) == written
    assert read(format_yaml(text)) == [text]


@same_examples
@given(values)
def test_whatever_json_can_say_comes_back_as_it_was(value: Any) -> None:
    """Any value in JSON survives writing and reading: Python's types by PyYAML, Kubernetes' meaning by us."""
    written = format_yaml(value)

    assert spell_python(yaml.safe_load(written)) == spell_python(value)
    assert [spell_json(each) for each in read(written)] == [spell_json(value)] * (value is not None)


def test_a_text_of_several_lines_is_a_block() -> None:
    """A file within a ConfigMap stays readable, whatever its lines begin with."""
    assert format_yaml({"data": {"f": "port 6379\n# no dumps\nsave: ''\n"}}) == (
        "data:\n  f: |\n    port 6379\n    # no dumps\n    save: ''\n"
    )


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("a\nb", "|-\n  a\n  b"),
        ("a\n\n\n", "|+\n  a\n\n"),
        ("a\n\nb\n", "|\n  a\n\n  b"),
        (" a\nb\n", "|2\n   a\n  b"),
        ("\na", "|2-\n\n  a"),
        ("\ta\n", "|2\n  \ta"),
        ("a \n\tb\n", "|\n  a \n  \tb"),
        ("a\n ", "|-\n  a\n   "),
    ],
)
def test_blocks_say_how_they_begin_and_end(text: str, block: str) -> None:
    """Leading blanks and the number of newlines at the end are kept by indicators, not by quotes."""
    assert format_yaml({"a": text, "b": 0}) == f"a: {block}\nb: 0\n"
    assert format_yaml([text]) == f"- {block}\n"


@pytest.mark.parametrize("text", [*LINES, "a\r\nb\n", "a\x85\nb", "a\n\ufeffb", "a\0\n"])
def test_keys_and_what_no_block_can_hold_stand_in_one_line(text: str) -> None:
    """A key of several lines, a text of blanks alone and one with control characters are quoted in one line."""
    assert format_yaml({text: 0}).count("\n") == 1
    if not text.strip(" \t\n") or set(text) & {"\r", "\x85", "\ufeff", "\0"}:
        assert format_yaml({"a": text}).count("\n") == 1


def test_control_characters_are_escaped() -> None:
    """A file that was written holds no character that an editor, a terminal or a reader would act on."""
    written = format_yaml(
        {"a": "".join(map(chr, [*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, 0xFEFF]))}
    )

    assert written.isascii()
    assert written.removesuffix("\n").isprintable()


@pytest.mark.parametrize(("length", "start"), [(1024, "k"), (1025, "? ")])
def test_long_keys_are_marked(length: int, start: str) -> None:
    """A key that is longer than readers look ahead begins with a question mark, whatever stands below it."""
    key = "k" * length
    value = {key: {key: 1, "l": [{key: "a\nb\n"}, {key: []}]}, "z": 0}
    written = format_yaml(value)

    assert written.startswith(start)
    assert read(written) == [yaml.safe_load(written)] == [value]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        *[(0, "0"), (-7, "-7"), (2**64, "18446744073709551616"), (True, "true"), (0.5, "0.5"), (1.0, "1.0")],
        *[(1e20, "1.0e+20"), (1.5e-7, "1.5e-07"), (-1e300, "-1.0e+300"), (0.0, "0.0")],
    ],
)
def test_how_numbers_are_written(number: float, written: str) -> None:
    """Integers are written in full, floats with a point, without which PyYAML takes them for texts."""
    assert format_yaml(number) == f"{written}\n"


def test_keys_are_sorted_and_documents_parted() -> None:
    """The same values make the same bytes, in whatever order their keys were written."""
    assert format_documents([{"b": 1, "a": [{"d": 2, "c": 3}]}, {"e": {}}]) == (
        "a:\n- c: 3\n  d: 2\nb: 1\n---\ne: {}\n"
    )


def test_how_lists_and_mappings_stand_in_one_another() -> None:
    """Lists lie as deep as their key, everything else two blanks deeper; only what is empty has brackets."""
    value = {"a": [[1, [2, {"b": {"c": []}}]], {"d": [None]}, {}], "e": {"f": {"g": {}}}}

    assert format_yaml(value) == (
        "a:\n- - 1\n  - - 2\n    - b:\n        c: []\n- d:\n  - null\n- {}\ne:\n  f:\n    g: {}\n"
    )


def test_long_lines_are_not_folded() -> None:
    """A line of any length stays one line: a fold would be a difference nobody made."""
    assert format_yaml({"args": " ".join(["word"] * 500)}).count("\n") == 1


def test_what_stands_twice_is_written_twice() -> None:
    """Values that are shared in memory are written out in full: an anchor is for authors, not for readers."""
    shared = {"b": [1]}

    assert format_yaml({"a": shared, "c": shared}) == "a:\n  b:\n  - 1\nc:\n  b:\n  - 1\n"


class Word(str):
    """A text of a type of its own, as Jinja2's Markup is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "otherwise"


class Size(str, Enum):  # noqa: UP042 - a StrEnum prints what it holds
    SMALL = "small"


def test_types_like_those_of_json_are_written_like_them() -> None:
    """A tuple is a list, any mapping a mapping, and a text what it holds, not what it prints."""
    value: Any = MappingProxyType({Word("b"): (Word("yes"), MappingProxyType({}), ()), Size.SMALL: 1})

    assert format_yaml(value) == "b:\n- 'yes'\n- {}\n- []\nsmall: 1\n"


@pytest.mark.parametrize("value", [object(), {1}, b"x", 1j, range(3), {"a": [object()]}, {"a": {"b": iter([])}}])
def test_what_yaml_cannot_say_is_a_type_error(value: object) -> None:
    """A value that is no plain data cannot be written; nothing of it is."""
    with pytest.raises(TypeError, match="nothing that YAML can say"):
        format_yaml(value)


@pytest.mark.parametrize("key", [1, None, True, 1.5, ("a",)])
def test_a_key_that_is_no_text_is_a_type_error(key: object) -> None:
    """A key that JSON could not say is refused, among texts too, rather than turned into one."""
    with pytest.raises(TypeError, match="is not a text; put it in quotes"):
        format_yaml({"a": [{"b": 1, key: 2}]})


@pytest.mark.parametrize("text", ["\ud800", "a\nb\udfff", "x" * 100 + "\ud83d"])
def test_half_a_character_is_refused(text: str) -> None:
    """Half a character, which no reader of YAML takes, is named by its code, as a value or a key."""
    for value in (text, {text: 1}, [text]):
        with pytest.raises(ValueError, match=rf"half of a character, \\u{ord(text[-1]):04x}, stands in a text"):
            format_yaml(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 10**400, -(10**400)])
def test_numbers_that_json_readers_refuse_are_refused(number: float) -> None:
    """What is no number with digits, or larger than any float, cannot be written."""
    with pytest.raises(ValueError, match=r"no number with digits|beyond the range of 64-bit floats"):
        format_yaml({"a": number})


def test_nesting_is_bounded() -> None:
    """What is written can be read back: as deep, and no deeper."""
    assert read(format_yaml(nest(MAX_DEPTH))) == [nest(MAX_DEPTH)]
    endless: dict[str, Any] = {}
    endless["a"] = [endless]
    for value in (nest(MAX_DEPTH + 1), nest(100_000), endless):
        with pytest.raises(ValueError, match=f"nested deeper than {MAX_DEPTH} lists and mappings"):
            format_yaml(value)

"""Bad input is refused at once, with its place: nothing in it ends the process, or takes its time or memory."""

from collections.abc import Callable

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.emitter import MAX_DEPTH
from jsorc_gitops.model.yaml import MAX_LENGTH, format_yaml, parse_documents

# Far more than any of them takes, far less than what only one of them would take if it were not bounded.
pytestmark = pytest.mark.timeout(60)

_DEEP = f"not valid YAML: more than {MAX_DEPTH} lists and mappings within one another"
_LARGE = "not valid YAML: with its aliases written out it is longer than 16 Mi characters"


def complaint(text: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        parse_documents(text, source="x.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[" * 1_000_000, 1),
        ("{" * 1_000_000, 1),
        ("{a: " * 10_000, 1),
        ("[\n" * 1_000_000, 101),
        ("[" * 10_000 + "]" * 10_000, 1),
        ("a: " + "[" * 100 + "]" * 100, 1),
        ("- " * 10_000 + "a", 1),
        ("? " * 10_000 + "a", 1),
        ("".join(f"{' ' * depth}a:\n" for depth in range(2000)), 101),
        ("".join(f"a{step}: &a{step} [*a{step - 1}]\n" for step in range(1, 10_000)).replace("*a0", ""), 100),
    ],
)
def test_deep_nesting_is_refused(text: str, line: int) -> None:
    """Nesting that no object has is refused where it gets too deep, however it is spelled."""
    assert complaint(text) == f"x.yaml:{line}: {_DEEP}"


@pytest.mark.parametrize(
    "nest",
    [
        lambda depth: "[" * depth + "]" * depth,
        lambda depth: "".join(f"{' ' * step}a:\n" for step in range(depth)),
        lambda depth: f"- &a {'[' * 50}{']' * 50}\n- {'[' * (depth - 51)}*a{']' * (depth - 51)}\n",
    ],
)
def test_what_is_nested_less_is_read(nest: Callable[[int], str]) -> None:
    """Up to the limit everything is read and can be written: lists, mappings, and what aliases repeat."""
    [document] = parse_documents(nest(MAX_DEPTH), source="x.yaml")

    assert parse_documents(format_yaml(document.value), source="x.yaml") == [document]
    assert complaint(nest(MAX_DEPTH + 1)).endswith(_DEEP)


def bomb(levels: int, inner: str, outer: str) -> str:
    """Each level repeats the one above it ten times."""
    first = f"a0: &a0 {inner}\n"
    return first + "".join(
        f"a{level}: &a{level} {outer.replace('_', f'*a{level - 1}')}\n" for level in range(1, levels)
    )


@pytest.mark.parametrize(
    "text",
    [
        bomb(30, "lol", "[" + "_, " * 10 + "]"),
        bomb(30, "{b: lol}", "{" + ", ".join(f"c{place}: _" for place in range(10)) + "}"),
        bomb(2, f'"{"x" * 2_000_000}"', "[" + "_, " * 1000 + "]"),
        "a: &a {" + ", ".join(f"k{place}: 1" for place in range(20_000)) + "}\nb:\n" + "  <<: *a\n" * 50_000,
        "- &a [" + "[]," * 100_000 + "]\n" + "- *a\n" * 100_000,
    ],
)
def test_alias_bombs_are_refused(text: str) -> None:
    """A text that grows beyond all bounds where its aliases are written out is refused before it does."""
    message = complaint(text)

    assert message.startswith("x.yaml:")
    assert message.endswith(f": {_LARGE}")


def test_a_long_text_is_refused() -> None:
    """A text longer than any manifest is refused unread, one of that length is read."""
    assert complaint("a" * (MAX_LENGTH + 1)) == "x.yaml: longer than 16 Mi characters; split it"
    assert len(parse_documents("a" * MAX_LENGTH, source="x.yaml")[0].value) == MAX_LENGTH


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("%YAML 1.1\n---\na: 1\n", 1),
        ("a: 1\n...\n%TAG ! tag:x,2000:\n---\nb: 1\n", 3),
        ("".join(f"%TAG !{handle}! x\n" for handle in range(800_000)), 1),
    ],
)
def test_directives_are_refused(text: str, line: int) -> None:
    """Directives are nothing to kubectl, and libyaml would compare each of them with every other."""
    assert complaint(text) == f"x.yaml:{line}: kubectl takes no directives (%YAML, %TAG); remove this"


@pytest.mark.parametrize("text", ["\ufeff", "\ufeffa: 1\n"])
def test_a_byte_order_mark_is_refused(text: str) -> None:
    """What an editor put before the text cannot be seen, so the message says what to do about it."""
    assert complaint(text) == "x.yaml:1: begins with a byte order mark; save it as UTF-8 without one"


@pytest.mark.parametrize(
    "character", ["\0", "\x07", "\x0c", "\x1b", "\x7f", "\x80", "\ud800", "\ufffe", "\uffff"]
)
def test_control_characters_are_refused(character: str) -> None:
    """What no reader takes is told with its line, however lines end, and by its code, as it cannot be seen."""
    message = f"x.yaml:3: the character \\u{ord(character):04x} has no place in YAML"

    assert complaint(f"a: 1\n# b\nc: 'd{character}'\n") == message
    assert complaint(f"a: 1\r\n# b\rc: 'd{character}'\n") == message


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\ufeff"])
def test_disputed_characters_are_refused(character: str) -> None:
    """What ends a line, or is nothing, to some readers alone must be spelled as an escape."""
    assert complaint(f"a: 1\nb: 'c{character}d'\n") == (
        f"x.yaml:2: the character \\u{ord(character):04x} is not the same to all readers; "
        "write it as an escape in double quotes"
    )


@pytest.mark.parametrize(
    "text", ["a:\n\tb: 1\n", "a: 1\n\tb: 2\n", "a: |\n\tb\n", "a: |\n \tb\n", "a: 1\n\t# b\n"]
)
def test_tabs_do_not_indent(text: str) -> None:
    """A tab before a key, a comment or the line of a block is named as what it is, at its line."""
    assert complaint(text) == "x.yaml:2: not valid YAML: a tab cannot indent; use blanks"

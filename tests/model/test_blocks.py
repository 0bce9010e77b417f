"""The shortcut for usual YAML says what libyaml says, or nothing; and it is taken where it matters."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.objects import make_name, make_objects, make_values
from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model import libyaml
from jsorc_gitops.model.blocks import read_blocks
from jsorc_gitops.model.document import Document
from jsorc_gitops.model.yaml import format_documents, parse_documents
from tests.model.strategies import mappings, same_examples

RENDERED = sorted((Path(__file__).parents[2] / "rendered").rglob("*.yaml"))

# What may stand where in a line: the usual, what looks like it, and what is wrong there.
_INDENTS = [" " * width for width in (0, 0, 0, 1, 2, 2, 2, 3, 4, 4, 6, 59, 61)]
_DASHES = ["", "", "", "", "- ", "- ", "-  ", "- - ", "-"]
_KEYS = [
    "a",
    "b",
    "kind",
    "x.y/z",
    "on",
    "y",
    "null",
    "1",
    ".",
    "...",
    '"q"',
    "'q'",
    "<<",
    "a b",
    "*a",
    "&a",
    "a#b",
]
_COLONS = [":", ": ", ": ", ": ", ":  ", ""]
_VALUES = [
    *[
        "",
        "v",
        "|",
        "|-",
        "|+",
        "|2",
        "| ",
        "|#",
        "x: |",
        "a|b",
        ">",
        "#c",
        "# c",
        "!!int 3",
        "&a b",
        "*a",
        "? a",
    ],
    *[
        "1",
        "0x1f",
        "012",
        "1_000",
        "1:30",
        ".5",
        ".nan",
        ".inf",
        "null",
        "~",
        "on",
        "2026-01-01",
        "1e3",
        "+1",
        "-5",
    ],
    *["-.5", "-", "+", "=", "==", "--x", "--a=b", "-a-", "---", "..."],
    *["a b", "a  b", "a ", "  a", "a: b", "a:b", "a:", "a #c", "a#c", "a# c", "a - b", "a\tb", "a & b", "a ? b"],
    *[
        "%a",
        "@a",
        "`a",
        "a, b",
        ", a",
        "a]b",
        "a{b}",
        "(a)",
        "<a>",
        "$a",
        "${a}",
        "a\\b",
        "\xe9",
        "/a:1",
        "a\x7f",
    ],
    *[
        "- a",
        "- - a",
        "--- a",
        "http://a:1/b?c=d&e#f",
        "http://a:1/b?c=d&e",
        'a"b',
        "a'b",
        '"x"',
        '"x y" ',
        "'x'",
    ],
    *[
        '"a\\n"',
        "'it''s'",
        '""',
        "''",
        '"a" b',
        '"a # b"',
        '"a: b"',
        "[]",
        "{}",
        "[a, b]",
        "{a: b}",
        "[a",
        "{a: b",
    ],
    *[
        "{a: b, c: [1, 2]}",
        "[a]: b",
        "{a: b}: c",
        "[a] b [c]",
        "[*a]",
        "[&a b]",
        "[ # c",
        "[a, # c",
        "{a: b} # c",
    ],
    *["[{a: [b, {c: d}]}]", "[a: b]", "{a}", '{"a":b}', "{a:b}", "[[[[[[[[[a]]]]]]]]]"],
]
_FLOW_PARTS = [
    *[
        "[",
        "]",
        "{",
        "}",
        ",",
        ", ",
        ": ",
        ":",
        "a",
        "b",
        '"c"',
        "'d'",
        "1",
        "on",
        "null",
        "~",
        " ",
        "--x",
        "-",
        "?",
    ],
    *[
        "a?b",
        "a:b",
        "#",
        " #",
        "&a",
        "*a",
        "!x",
        "%a",
        "@a",
        "a@b",
        "|",
        "a|b",
        "$(X)",
        "${X}",
        "a b",
        '"e: f"',
        "=",
        "<<",
    ],
    *["[a]", "{a: b}", "[]", "{}", "[a, b]", "a: ", '"b": ', "c: 1"],
]
_LINES = ["", "  ", "    ", "#c", "  # c", "---", "--- ", "...", "---\n---", "a"]

lines = st.one_of(
    st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from(_INDENTS),
        st.sampled_from(_DASHES),
        st.sampled_from(_KEYS),
        st.sampled_from(_COLONS),
        st.sampled_from(["", "v", "v", "|", *_VALUES]),
    ),
    st.builds("{}{}{}".format, st.sampled_from(_INDENTS), st.sampled_from(_DASHES), st.sampled_from(_VALUES)),
    st.sampled_from(_LINES),
)
texts = st.builds(
    "{}{}".format,
    st.lists(lines, min_size=1, max_size=8).map("\n".join),
    st.sampled_from(["\n", "\n", "\n", "", "\n\n", "\n  \n"]),
)


flows = st.builds(
    "{}{}{}{}{}\n".format,
    st.sampled_from(["k: ", "- ", "- k: "]),
    st.sampled_from("[{"),
    st.lists(st.sampled_from(_FLOW_PARTS), max_size=8).map("".join),
    st.sampled_from("]}"),
    st.sampled_from(["", " ", "# c", " # c"]),
)


def tell(documents: list[Document]) -> list[str]:
    """Values with their types, lines, and where their outline leads."""
    return [
        f"{each.value!r} {each.line} {[each.line_of(key) for key in each.value]}"
        if isinstance(each.value, dict)
        else f"{each.value!r} {each.line}"
        for each in documents
    ]


@given(texts | flows)
@settings(same_examples, max_examples=1000)
@example("a: [b, {c: 1, 'd': [x, \"y: z\"]}, [], {}]\n")
@example("a:\n- b: |\n    c\n  d: e\n")
@example("a: |\n\n  b\n\n\nc: d\n")
@example("# c\n---\na: b\n---\n---\n# c\nd: e\n")
def test_it_reads_what_libyaml_reads(text: str) -> None:
    """Whatever the text, the shortcut and libyaml give the same values, types, lines and outlines."""
    if read_blocks(text) is None or text.startswith("%"):
        return
    assert tell(parse_documents(text, source="")) == tell(libyaml.parse_documents(text, source=""))


@given(st.lists(mappings, max_size=3))
@same_examples
def test_it_reads_what_we_write(values: list[dict[str, object]]) -> None:
    """What is written is read as libyaml reads it, by the shortcut or past it."""
    text = format_documents(values)
    assert tell(parse_documents(text, source="")) == tell(libyaml.parse_documents(text, source=""))


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.name)
def test_rendered_trees_take_the_shortcut(path: Path) -> None:
    """What jsorc writes for the services that Jaseci ships is read without libyaml, where it is ASCII."""
    text = path.read_text()
    blocks = read_blocks(text)
    assert (blocks is None) == (not text.isascii())
    assert tell(parse_documents(text, source="")) == tell(libyaml.parse_documents(text, source=""))


def test_the_objects_of_the_benchmark_take_the_shortcut() -> None:
    """So do objects as the benchmark has them."""
    bodies = list(make_objects(make_name(7), make_values(7)))
    blocks = read_blocks(format_documents(bodies))
    assert blocks is not None
    assert [each.value for each in blocks] == bodies


def test_a_text_that_is_too_deep_is_left_to_libyaml() -> None:
    """Deeper than sixty columns it is libyaml that reads, and refuses what is too deep."""
    text = "".join(f"{' ' * depth}a:\n" for depth in range(200))
    assert read_blocks(text) is None
    with pytest.raises(DefinitionError, match="more than 100"):
        parse_documents(text, source="x")

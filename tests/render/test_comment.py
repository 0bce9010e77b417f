"""comment: the comparison as Markdown, read as GitHub reads it."""

import html
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.render.comment import LIMIT, MARK, format_comment
from tests.model.builders import make_deployment, make_manifest
from tests.render.test_report import NEW, OLD, compare

# All HTML that a comment may have, whatever the definitions say.
MARKUP = re.compile(r"<!-- jsorc -->|</?details>|</?summary>|</?code>")
# And all of Markdown; no links, images, emphasis, lists or other code.
KINDS = {
    *(
        f"{name}_{end}"
        for name in ("heading", "paragraph", "table", "tbody", "td", "th", "thead", "tr")
        for end in ("open", "close")
    ),
    *("fence", "html_block", "html_inline", "inline", "text", "text_special"),
}
HOSTILE = [
    "```\n</details>\n# Approved",
    "~~~~\n",
    "`````````",
    "</code></td></table><h1>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://example.com/pixel.png)",
    "| a | b |\n|---|---|",
    "@team #1 https://example.com www.example.com a@example.com",
    "<!-- ",
    "-->\n\n",
    "&lt;b&gt; \\` *bold* _it_ ~~no~~",
    "\u202egnol\u202c\x1b[31m\x00",
]


def comment(old: list[Manifest], new: list[Manifest], *, allow: tuple[str, ...] = ()) -> str:
    return format_comment([compare(old, new)], allow=allow)


def read(text: str) -> list[Token]:
    """The comment's tokens, those inside of paragraphs and cells too."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    return [each for token in tokens for each in (token, *(token.children or ()))]


def find_markup(text: str) -> list[str]:
    """All HTML of a comment; its text must not hold any more than that."""
    raw = [each.content for each in read(text) if each.type in {"html_block", "html_inline"}]
    assert [each for each in raw if "<" in MARKUP.sub("", each)] == []
    return [found[0] for each in raw for found in MARKUP.finditer(each)]


def read_blocks(text: str) -> list[str]:
    return [each.content for each in read(text) if each.type == "fence"]


def test_dangers_come_first() -> None:
    """A title with the counts, a table of what is dangerous, and what allows it."""
    lines = comment(OLD, NEW, allow=("immutable",)).splitlines()
    assert lines[:5] == [
        MARK,
        "",
        "### jsorc: 1 added, 3 changed, 1 removed; 2 dangerous, 1 not allowed",
        "",
        "| | Rule | Object | What happens | Allow it with |",
    ]
    tokens = read("\n".join(lines))
    rows = [each.content for each in tokens if each.type == "inline" and "danger" in each.content]
    text = "".join(each.content for each in tokens if each.type in {"text", "text_special"})
    assert rows[1:] == ["danger"]
    assert "Service/default/old" in text
    assert "--allow Service/default/old" in text


def test_each_service_unfolds() -> None:
    """The differences of a service, field by field, below the words that sum it up."""
    text = comment(OLD, NEW)
    assert find_markup(text).count("<details>") == 2
    assert "<summary>redis changed, replicas 1→3</summary>" in text
    cache, redis = read_blocks(text)
    assert cache.startswith("+ ConfigMap/default/new\n")
    assert redis.endswith("       namespace: default\n")
    assert "    spec.replicas\n-     1\n+     3\n" in redis


def test_nothing_to_tell() -> None:
    """A comparison without a difference is a title."""
    assert comment(OLD, OLD) == f"{MARK}\n\n### jsorc: no object changes\n"


def test_dangers_that_are_allowed() -> None:
    """The title says that nothing stands in the way."""
    assert "; 2 dangerous, all allowed\n" in comment(OLD, NEW, allow=("redis",))


def test_several_trees_are_one_comment() -> None:
    """Each danger and each service names its tree then."""
    text = format_comment([compare(OLD, NEW, "staging"), compare(OLD, NEW, "production")], allow=[])
    assert "### jsorc: 2 added, 6 changed, 2 removed; 4 dangerous" in text
    for tree in ("staging", "production"):
        assert f"| {tree} danger | remove |" in text
        assert f"<summary>{tree}&#58; redis" in text


def make_hostile(text: str) -> tuple[list[Manifest], list[Manifest]]:
    """Two trees that say the same text wherever a definition may say anything."""
    held = make_manifest(
        name=text, data={text: text, "b": [text, {text: 1}], "c": f"{text}\nx"}, service=f"s{text}"
    )
    other = make_manifest(name=text, data={text: f"{text}!", "b": [{text: 2}], "c": text}, service=f"s{text}")
    image = [make_deployment(image=each) for each in (f"a:{text}", f"{text}:b")]
    fixed = [make_manifest("Secret", text, type=each, immutable=True) for each in (text, f"{text}x")]
    gone = [make_manifest("Service", f"gone {text}"), make_manifest("Service", text, service=f"away{text}")]
    moved = [make_manifest("Service", f"moved {text}", namespace=each) for each in (f"x{text}", f"y{text}")]
    return [held, image[0], fixed[0], moved[0], *gone], [other, image[1], fixed[1], moved[1]]


def assert_contained(text: str) -> None:
    """Nothing that a definition says has become Markdown or HTML."""
    markup = find_markup(text)
    assert markup.count("<details>") == markup.count("</details>") == len(read_blocks(text))
    kinds = {each.type for each in read(text)}
    assert not kinds & {
        "link_open",
        "image",
        "strong_open",
        "em_open",
        "s_open",
        "code_inline",
        "softbreak",
        "hr",
    }
    assert not kinds & {"list_item_open", "blockquote_open", "code_block", "hardbreak"}
    assert sum(each.type == "heading_open" for each in read(text)) == 1
    # What GitHub reads as a person's or an issue's name once it is HTML: not in code, and not as we write it.
    running = re.sub(r"<code>.*?</code>|^```.*?^```$|^### ", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"[@#](?!\u200b)", html.unescape(running))
    assert all(each.isprintable() or each in "\n\u200b" for each in html.unescape(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_definitions_say_stays_in_its_place(text: str) -> None:
    """Whatever stands in names, keys and values: no heading, link, mention or tag comes of it."""
    assert_contained(comment(*make_hostile(text)))


@settings(deadline=None)
@given(st.text(alphabet="`~<>|\\*_[]()!#&;:@/-+=.\"' \n\ra1", max_size=30))
def test_nothing_breaks_out(text: str) -> None:
    """Nor of any other text made of what Markdown and HTML are made of."""
    assert_contained(comment(*make_hostile(f"x{text}")))


@pytest.mark.parametrize(
    "make",
    [
        lambda value: [make_manifest(name=f"m{n}", data={"a": value}) for n in range(3000)],
        lambda value: [make_manifest(name=f"m{n}", data={"a": value}, service=f"s{n}") for n in range(3000)],
        lambda value: [make_manifest("Secret", f"m{n}", type=f"{value}/x") for n in range(3000)],
        lambda value: [make_manifest(data={"a": value * 500_000})],
        lambda value: [make_manifest(data={f"{n}": "`" * n + value for n in range(500)})],
        lambda value: [make_manifest(data={"a": f"{value}\n" * 100_000}), make_deployment(image=value)],
        lambda value: [make_manifest("Service", f"m{value}{n}" * 100, namespace=value * 60) for n in range(500)],
        lambda value: [make_manifest("Service", f"@{n}" * 100, service=f"{value}{n}") for n in range(500)],
    ],
)
def test_a_comment_is_never_too_long(make: Any) -> None:
    """GitHub would refuse it; what is left out is said, with the command that tells all."""
    text = comment(make("1"), make("2"))
    assert len(text) <= LIMIT
    assert_contained(text)
    assert read_blocks(text)
    cut = "more lines" in text or "characters)" in text
    assert cut or "Left out here" in text
    if "more lines" in text:
        assert "jsorc render --check --diff --against main tells all." in "".join(
            each.content for each in read(text) if each.type in {"text", "text_special"}
        )


def test_a_large_service_leaves_room_for_the_others() -> None:
    """What comes first does not take all."""
    large = [make_manifest(name="a", data={"a": f"{value}\n" * 90_000}, service="a") for value in "12"]
    small = [make_manifest(name="b", data={"a": f"{value}\n" * 9}, service="b") for value in "12"]
    text = comment([large[0], small[0]], [large[1], small[1]])
    first, second = read_blocks(text)
    assert len(first) > LIMIT / 3
    assert second.endswith("+     2\n" * 9)
    assert "Left out here: changes of 1 services" in text


def test_a_long_line_is_cut() -> None:
    """A text on one line does not hide what follows it."""
    values = [value * 90_000 for value in "12"]
    [block] = read_blocks(comment(*([make_manifest(data={"a": value})] for value in values)))
    assert re.findall(r"^. {5}(\d)\1{490,500}… \(\d+ characters\)$", block, re.MULTILINE) == ["1", "2"]


def test_the_comment_needs_no_room_for_what_it_leaves_out() -> None:
    """It comes close to what GitHub takes before it leaves anything out."""
    values = ["".join(f"{value} {n}\n" for n in range(2500)) for value in "12"]
    old, new = ([make_manifest(data={"a": value})] for value in values)
    text = comment(old, new)
    assert LIMIT * 0.7 < len(text) <= LIMIT
    assert "Left out here" not in text


def test_the_table_leaves_room_for_the_changes() -> None:
    """Of thousands of dangers the first are told, and the changes all the same."""
    kept = make_manifest()
    text = comment([kept, *(make_manifest("Service", f"m{n}") for n in range(3000))], [kept])
    assert re.search(r"Left out here: \d+ rows of the table and changes of 1 services; ", text)
    assert read_blocks(text)

"""Hand-written mappings: every complaint names the file, the line and the key."""

import pytest

from jsorc_gitops.errors import SettingsError
from jsorc_gitops.model.fields import Fields, format_path
from jsorc_gitops.model.yaml import parse_documents


def fields(text: str) -> Fields:
    [document] = parse_documents(text, source="x.yaml")
    return Fields(document=document, source="x.yaml", error=SettingsError)


def test_paths_are_spelled_as_people_write_them() -> None:
    """Keys are parted by dots, positions stand in brackets."""
    assert format_path(("a", "b", 2, "c")) == "a.b[2].c"


def test_an_unknown_key_has_a_hint() -> None:
    """A key that is nearly a known one is answered with that one."""
    with pytest.raises(SettingsError, match=r"^x.yaml:2: intervall: unknown key; did you mean interval\?$"):
        fields("enabled: true\nintervall: 5\n").allow(("enabled", "interval"))


def test_a_key_like_no_other_is_answered_with_all() -> None:
    """A key that is like no known one is answered with the list of them."""
    with pytest.raises(SettingsError, match=r"^x.yaml:1: port: unknown key; known keys: enabled, interval$"):
        fields("port: 5\n").allow(("interval", "enabled"))


def test_all_unknown_keys_are_told_at_once() -> None:
    """Each key of a mapping that is not known has its line in one error."""
    with pytest.raises(SettingsError) as caught:
        fields("port: 5\nenabled: true\nintervall: 5\n").allow(("interval", "enabled"))

    assert str(caught.value).splitlines() == [
        "x.yaml:1: port: unknown key; known keys: enabled, interval",
        "x.yaml:3: intervall: unknown key; did you mean interval?",
    ]


@pytest.mark.parametrize("text", ["b: 1\n", "a:\nb: 1\n", "a: null\nb: 1\n"])
def test_what_is_absent_or_empty_is_nothing_below(text: str) -> None:
    """An absent mapping and an empty one are the same."""
    assert fields(text).below("a") is None


def test_a_complaint_deep_down_names_the_whole_path() -> None:
    """A mapping within a mapping complains with its place in the whole document."""
    below = fields("a:\n  b:\n    c: [x, x]\n").below("a")
    deeper = below.below("b") if below else None
    assert deeper is not None

    with pytest.raises(SettingsError, match=r"^x.yaml:3: a.b.c\[1\]: x is named twice$"):
        deeper.texts("c")


def test_a_document_that_is_no_mapping_is_refused() -> None:
    """Where keys are expected, anything else is refused at its line."""
    with pytest.raises(SettingsError, match=r"^x.yaml:2: must be a mapping of keys to values$"):
        fields("# list\n- a\n").allow(())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "x.yaml:1: key: is missing; it must be a text"),
        ("key:", "x.yaml:1: key: must be a text, not None"),
        ("key: 5", "x.yaml:1: key: must be a text, not 5"),
        ("key: ''", "x.yaml:1: key: must not be empty"),
    ],
)
def test_a_text_is_there_and_not_empty(text: str, message: str) -> None:
    """A required text that is missing, empty or something else is refused."""
    with pytest.raises(SettingsError) as caught:
        fields(text).text("key")

    assert str(caught.value) == message

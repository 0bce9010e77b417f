"""Masks: what a Secret holds is never shown, and whether it changed is."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsorc_gitops.model.masks import (
    decode_data,
    encode_strings,
    is_secret,
    mask_manifests,
    mask_secret,
    mask_value,
)
from tests.model.builders import index, make_manifest

KEY = b"one key"
BARE = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}}
VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def mask(**fields: Any) -> dict[str, Any]:
    return mask_secret(make_manifest("Secret", **fields).body, KEY)


def test_equal_values_have_equal_masks() -> None:
    """Across runs with one key, and with another key none of them."""
    assert mask_value("hunter2", KEY) == "masked:a934dc439ff8"
    assert mask_value("hunter2", KEY) == mask_value(b"hunter2", KEY)
    assert mask_value("hunter2", KEY) != mask_value("hunter3", KEY)
    assert mask_value("hunter2", KEY) != mask_value("hunter2", b"another")


@pytest.mark.parametrize("other", [5, 5.0, True, None, ["5"], {"5": 5}, "5 ", ""])
def test_another_type_is_another_value(other: object) -> None:
    """A number where a text was is a change, also where both are spelled alike."""
    assert mask_value("5", KEY) != mask_value(other, KEY)


def test_a_mask_needs_a_key() -> None:
    """Without one everybody could make the mask of a password and compare."""
    with pytest.raises(ValueError, match="needs a key"):
        mask_value("hunter2", b"")


def test_a_value_has_one_mask_in_both_fields() -> None:
    """What is written as stringData and what as data is compared by its bytes."""
    plain, encoded = mask(stringData={"a": "hunter2"}), mask(data={"a": encode("hunter2")})
    broken = mask(data={"a": encode("hunter2")[:3] + "\n" + encode("hunter2")[3:]})
    assert plain["stringData"] == encoded["data"] == broken["data"] == {"a": mask_value("hunter2", KEY)}


@pytest.mark.parametrize("value", ["not base64!", "é", "YQ", 5, None, ["x"]])
def test_what_is_not_base64_is_masked_as_it_stands(value: Any) -> None:
    """A mistake in a Secret is no reason to show it."""
    assert decode_data(value) == value
    assert mask(data={"a": value})["data"] == {"a": mask_value(value, KEY)}


@pytest.mark.parametrize("field", ["data", "stringData", "stringdata", "spec"])
@pytest.mark.parametrize("value", ["hunter2", ["hunter2"], {"a": {"b": "hunter2"}}, {"a": ["hunter2"]}])
def test_misplaced_values_are_masked(field: str, value: object) -> None:
    """A typo in the name of a field, or a value of the wrong shape, shows nothing."""
    assert "hunter2" not in str(mask(**{field: value}))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"data":{"a":"aHVudGVyMg=="}}', False),
        ("data:\n  a: aHVudGVyMg==\n", False),
        ("H4sIAAAA" * 20, False),
        (5, False),
        ("owned by the team", True),
    ],
)
def test_copies_in_annotations_are_masked(text: Any, *, shown: bool) -> None:
    """Client-side kubectl keeps the whole Secret in an annotation; a short note stays readable."""
    body = make_manifest("Secret").body
    metadata = {**body["metadata"], "annotations": {"a": text}}
    masked = mask_secret({**body, "metadata": metadata}, KEY)["metadata"]["annotations"]["a"]
    assert masked == (text if shown else mask_value(text, KEY))


def test_what_is_no_secret_stays() -> None:
    """Name, labels, type and the names of keys are shown, and the body given is left as it was."""
    body = make_manifest("Secret", type="Opaque", immutable=True, data={"a": encode("x")}).body
    masked = mask_secret(body, KEY)
    assert {**masked, "data": None} == {**body, "data": None}
    assert list(masked["data"]) == ["a"]
    assert body["data"] == {"a": encode("x")}


@pytest.mark.parametrize(
    ("kind", "version", "masked"),
    [
        ("Secret", "v1", True),
        ("Secret", "example.com/v1", False),
        ("SealedSecret", "bitnami.com/v1alpha1", False),
        ("ExternalSecret", "external-secrets.io/v1", False),
        ("ConfigMap", "v1", False),
    ],
)
def test_only_secrets_are_masked(kind: str, version: str, *, masked: bool) -> None:
    """Sealed and external secrets hold nothing that may not be read."""
    manifest = make_manifest(kind, version=version, data={"a": "x"})
    [found] = mask_manifests(index(manifest), KEY).values()
    assert is_secret(manifest.ref) == masked
    assert (found.body["data"]["a"] != "x") == masked


@pytest.mark.parametrize("place", [lambda value: {"a": value}, lambda value: value])
@settings(deadline=None)
@given(value=VALUES, field=st.sampled_from(["data", "stringData"]))
def test_nothing_gets_through(place: Callable[[Any], Any], value: Any, field: str) -> None:
    """Whatever stands in data, its place holds nothing but masks afterwards."""
    masked = mask(**{field: place(value)})[field]
    values = list(masked.values()) if isinstance(masked, dict) else [masked]
    assert all(each is None or each.startswith("masked:") for each in values)


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({"stringData": {"a": "1"}}, {"data": {"a": "MQ=="}}),
        ({"data": {"a": "MQ==", "b": "Mg=="}, "stringData": {"a": "3"}}, {"data": {"a": "Mw==", "b": "Mg=="}}),
        ({"data": {"a": "MQ=="}}, {"data": {"a": "MQ=="}}),
        ({"data": None, "stringData": None}, {"data": {}}),
    ],
)
def test_string_data_is_sent_as_data(said: dict[str, Any], sent: dict[str, Any]) -> None:
    """And counts more where both say a key, as on the server."""
    assert encode_strings(BARE | said) == BARE | sent


def test_other_kinds_may_have_a_field_of_that_name() -> None:
    """What it means there is not ours to know."""
    body = BARE | {"apiVersion": "example.com/v1", "stringData": {"a": "1"}}
    assert encode_strings(body) == body

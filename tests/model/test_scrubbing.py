"""scrubbing: no value of a Secret is left in a text, in none of the forms that programs write it in."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsorc_gitops.model.objects import Manifest, parse_manifest
from jsorc_gitops.model.scrubbing import MASK, SHORTEST, make_scrubber

VALUE = 'p4ss/w"ord öé'
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----\n"


def secret(**data: str) -> Manifest:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "home"}, "data": encoded}
    return parse_manifest(body, where="the test")


SCRUB = make_scrubber([secret(password=VALUE, key=KEY, flag="true", longer=f"{VALUE}-and-more")])


@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
        lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
        lambda value: json.dumps(value)[1:-1],
        lambda value: quote(value, safe=""),
    ],
    ids=["as it is", "base64", "base64 without padding", "base64 for URLs", "JSON", "URL"],
)
def test_a_value_is_masked_in_every_form(form: Callable[[str], str]) -> None:
    """Programs log what they connect to, and how."""
    assert SCRUB(f"cannot open <{form(VALUE)}>").rstrip("=>") == f"cannot open <{MASK}"


def test_one_line_of_a_value_is_masked() -> None:
    """Of a key of many lines a log shows the last ones, where it begins in the middle."""
    assert SCRUB("AQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----\n") == f"{MASK}\n{MASK}\n"


def test_the_longer_of_two_values_is_masked_whole() -> None:
    """Where one begins with the other."""
    assert SCRUB(f"{VALUE}-and-more") == MASK


def test_short_values_stay() -> None:
    """A Secret that holds `true` must not blacken every log."""
    assert SCRUB("ready: true") == "ready: true"


@pytest.mark.parametrize("field", ["stringData", "data"])
def test_values_that_are_no_base64_are_masked_too(field: str) -> None:
    """The server refuses them, and says so in a message."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, field: {"a": "not-in-base64!"}}
    assert make_scrubber([parse_manifest(body, where="the test")])("<not-in-base64!>") == f"<{MASK}>"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Authorization: Bearer abcdefghijklmnop0123", f"Authorization: Bearer {MASK}"),
        ("Authorization: token 0123456789abcdef0123456789abcdef", f"Authorization: token {MASK}"),
        ("redis://user:hunter22@redis:6379/0", f"redis://user:{MASK}@redis:6379/0"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4 back", f"got {MASK} back"),
        ("invalid token, see https://example.com/a:b", "invalid token, see https://example.com/a:b"),
        ("unexpected token: }", "unexpected token: }"),
        ("redis://user:p@ss@w0rd@redis:6379/0", f"redis://user:{MASK}@redis:6379/0"),
        ("DB_PASSWORD: Sup3rSecretPw! is wrong", f"DB_PASSWORD: {MASK} is wrong"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+ghi", f"AWS_SECRET_ACCESS_KEY={MASK}"),
        ('{"password": "open sesame", "user": "me"}', f'{{"password": {MASK}, "user": "me"}}'),
    ],
)
def test_what_looks_like_a_credential_is_masked(text: str, scrubbed: str) -> None:
    """Of a Secret that another tool made its value is not known here."""
    assert make_scrubber([])(text) == scrubbed


def test_other_objects_mask_nothing() -> None:
    """What a ConfigMap holds is no secret."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "hello-world"}}
    assert make_scrubber([parse_manifest(body, where="the test")])("hello-world") == "hello-world"


@given(st.text(min_size=SHORTEST).filter(lambda text: len(text.strip()) >= SHORTEST), st.text(), st.text())
def test_no_value_is_left_in_any_text(value: str, before: str, after: str) -> None:
    """Whatever it is, and whatever stands around it."""
    try:
        scrub = make_scrubber([secret(a=value)])
    except UnicodeEncodeError:
        return
    assert value not in scrub(f"{before}{value}{after}").replace(MASK, "")

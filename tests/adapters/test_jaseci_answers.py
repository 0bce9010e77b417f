"""What may be a secret in an error of Jaseci's is not passed on; what helps is."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsorc_gitops.adapters.jaseci_answers import hide, parse_info

SECRET = "s3cr3t+/of=redis"  # noqa: S105 - planted


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (
            "Error 111 connecting to 127.0.0.1:6379. Connection refused.",
            "Error 111 connecting to 127.0.0.1:6379. Connection refused.",
        ),
        ("no route to redis://:pa/ss@word@host:6379/0", "no route to redis://…@host:6379/0"),
        ("amqp://guest:guest@mq, amqp://u:p@mq2", "amqp://…@mq, amqp://…@mq2"),
        ("'password': 'a b', 'host': 'h'", "'password': …, 'host': 'h'"),
        ('{"api_key": "abc", "port": 1}', '{"api_key": …, "port": 1}'),
        ("token=abc&x=1 PWD: hunter2", "token=…&x=1 PWD: …"),
        ("{'Authorization': 'token 0123456789abcdef'}", "{'Authorization': …}"),
        ("sent Bearer eyJhbGciOi.J9 to it", "sent Bearer … to it"),
        ("the token is invalid", "the token is invalid"),
        ("two\n lines\tof \x1b[31mtext", "two lines of [31mtext"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_what_is_shown(error: str, shown: str) -> None:
    """The passwords of URLs and what is named like a secret are left out; the rest is one line, not too long."""
    assert hide(error, []) == shown


@pytest.mark.parametrize(
    "config",
    [
        {"password": SECRET},
        {"smtp": {"auth": ["x", {"value": SECRET}]}},
        {"broker_url": f"redis://user:{SECRET}@host/0"},
    ],
)
def test_secrets_of_the_config(config: object) -> None:
    """The service's own config says what must not be shown, wherever it stands in the error."""
    info = {"enabled": True, "state": "FAILED", "config": config, "error": f"WRONGPASS {SECRET} for {SECRET!r}"}

    assert parse_info(info, []).detail == "WRONGPASS … for '…'"


@given(secret=st.text(min_size=4), before=st.binary(), after=st.binary())
def test_encoded_secrets(secret: str, before: bytes, after: bytes) -> None:
    """A secret is found in base64, too, wherever it begins in what was encoded."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        plain = secret.encode("utf-8", "surrogatepass")
        shown = hide(encode(before + plain + after).decode(), [secret])
        assert plain not in _decode_all(shown)


def _decode_all(text: str) -> bytes:
    """What each stretch of base64 between what was hidden may have been, wherever it began."""
    stretches = text.translate(str.maketrans("-_", "+/")).replace("=", "").split("…")
    starts = [each[start:] for each in stretches for start in range(4)]
    return b"|".join(base64.b64decode(each[: len(each) - (len(each) % 4 == 1)] + "===") for each in starts)

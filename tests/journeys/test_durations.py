"""Durations, as they are typed."""

import click
import pytest

from jsorc_gitops.cli.duration import HOUR, parse_duration
from jsorc_gitops.cli.reconcile import reconcile

CONTEXT, PARAMETER = click.Context(reconcile), reconcile.params[0]


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("1h", HOUR), ("90s", 90), ("30m", 1800), ("1h30m5s", 5405), ("0s", 0)]
)
def test_a_duration(text: str, seconds: float) -> None:
    """Hours, minutes and seconds, in this order."""
    assert parse_duration(CONTEXT, PARAMETER, text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1d", "1m1h", "-1h", "1.5h", "soon", "1h ", "0\n"])
def test_what_is_none(text: str) -> None:
    """It is said what one looks like."""
    with pytest.raises(click.BadParameter, match="is no duration like 1h, 30m or 90s"):
        parse_duration(CONTEXT, PARAMETER, text)

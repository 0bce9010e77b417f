"""Durations on the command line: 1h30m, 45s, 0."""

import re

import click

HOUR = 3600.0

_UNITS = (3600, 60, 1)  # of hours, minutes, seconds
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")


def is_duration(value: str) -> bool:
    return value == "0" or bool(value and _DURATION.match(value))


def parse_duration(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """A span of time as seconds; 0 needs no unit. Raises click.BadParameter."""
    found = _DURATION.match("0s" if value == "0" else value)
    if found is None or not is_duration(value):
        raise click.BadParameter(f"{value!r} is no duration like 1h, 30m or 90s", context, parameter)
    return float(sum(int(number or 0) * unit for number, unit in zip(found.groups(), _UNITS, strict=True)))

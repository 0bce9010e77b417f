"""The schema of an event, as docs/json.md gives it to its readers."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema_rs

PAGE = Path(__file__).parents[2] / "docs/json.md"


def read_schema() -> dict[str, Any]:
    [text] = re.findall(r'^```json\n(\{\n  "\$schema".*?)^```$', PAGE.read_text(), re.MULTILINE | re.DOTALL)
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_events(events: Iterable[Any]) -> None:
    """Each is as the page says, and the last one is a summary, the only one of its pass."""
    validator = jsonschema_rs.Draft202012Validator(read_schema(), validate_formats=True)
    found = list(events)
    for event in found:
        validator.validate(event)
    assert [each["event"] == "summary" for each in found] == [False] * (len(found) - 1) + [True]

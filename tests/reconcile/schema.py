"""The schemas of what is told as JSON, as docs/json.md gives them to its readers."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema_rs

PAGE = Path(__file__).parents[2] / "docs/json.md"


def read_schema(section: str) -> dict[str, Any]:
    page = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    [text] = re.findall(r'^```json\n(\{\n  "\$schema".*?)^```$', page, re.MULTILINE | re.DOTALL)
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_status(document: Any) -> None:
    """It is as the page says."""
    jsonschema_rs.Draft202012Validator(read_schema("Status"), validate_formats=True).validate(document)


def check_events(events: Iterable[Any]) -> None:
    """Each is as the page says, and the last one is a summary, the only one of its pass."""
    validator = jsonschema_rs.Draft202012Validator(read_schema("Reconcile and diff"), validate_formats=True)
    found = list(events)
    for event in found:
        validator.validate(event)
    assert [each["event"] == "summary" for each in found] == [False] * (len(found) - 1) + [True]

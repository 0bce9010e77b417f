"""How values and differences are spelled for a person: one line each, nothing that could trick a reader."""

import difflib
import json
from collections.abc import Iterator
from typing import Any

from jsorc_gitops.model.diff import Action, FieldDiff, ObjectDiff
from jsorc_gitops.model.yaml import format_yaml

SIGNS = {Action.ADDED: "+", Action.CHANGED: "~", Action.REMOVED: "-"}


def clean_text(text: str) -> str:
    """The text on one line: control characters, and those that turn the direction of writing, as escapes."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def format_value(value: Any) -> str:
    """A scalar or a list on one line; a text in quotes only where it could be taken for something else."""
    if isinstance(value, list):
        return f"[{', '.join(map(format_value, value))}]"
    if isinstance(value, str) and value.strip() == value != "" and not _is_json(value):
        return clean_text(value)
    return clean_text(json.dumps(value, ensure_ascii=False))


def format_short(value: Any) -> str:
    """The same, in no more than 60 characters."""
    return shorten(format_value(value))


def shorten(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def format_diff(diff: ObjectDiff) -> list[str]:
    """One object as lines: in the first column + for what comes, - for what goes, blank for where."""
    lines = [f"{SIGNS[diff.action]} {clean_text(str(diff.ref))}"]
    for field in diff.fields:
        lines += _format_field(field)
    if not diff.fields:
        lines.append("    a null is now left out, or the other way round")
    return lines


def _format_field(field: FieldDiff) -> Iterator[str]:
    if field.path:
        yield f"    {clean_text(field.spelled)}" + (": another order" if field.reordered else "")
    before, after = field.before, field.after
    if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        yield from _format_texts(before, after)
        return
    for sign, value in (("-", before), ("+", after)):
        if value is not None:
            yield from (f"{sign}     {line}" for line in _format_lines(value))


def _format_texts(before: str, after: str) -> Iterator[str]:
    """Two texts as a unified diff, without the names of files that would begin it."""
    old, new = _split_lines(before), _split_lines(after)
    if before and after and before.endswith("\n") != after.endswith("\n"):
        (new if before.endswith("\n") else old).append("(no line break at the end)")
    for line in list(difflib.unified_diff(old, new, lineterm=""))[2:]:
        sign, rest = (" ", line) if line.startswith("@@") else (line[0], f" {line[1:]}")
        yield f"{sign}    {clean_text(rest)}"


def _format_lines(value: Any) -> list[str]:
    if isinstance(value, str) and "\n" in value:
        return [clean_text(line) for line in _split_lines(value)]
    if isinstance(value, dict | list) and value:
        return [clean_text(line) for line in _split_lines(format_yaml(value))]
    return [format_value(value)]


def _split_lines(text: str) -> list[str]:
    """At line feeds alone: what str.splitlines takes for other ends of lines is to be seen."""
    return text.removesuffix("\n").split("\n") if text else []


def _is_json(text: str) -> bool:
    """Whether a text reads like a number, a boolean, null or a text in quotes."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True

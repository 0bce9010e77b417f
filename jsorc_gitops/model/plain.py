"""Values as JSON's reader gives them, of which it lets through more than can be written."""

import math
from typing import Any

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.emitter import MAX_DEPTH
from jsorc_gitops.model.fields import Path, format_path

_SHOWN = 6  # steps of a path that leads too deep


def check_plain(value: Any, *, where: str, path: Path = ()) -> None:
    """Raise DefinitionError, with `where` and path, at what no file can hold or readers would change.

    That is numbers that are not finite, integers beyond 64 bits, halves of characters, and more than MAX_DEPTH
    lists and mappings within one another.
    """
    if isinstance(value, dict | list):
        if len(path) >= MAX_DEPTH:
            place = format_path(path[:_SHOWN])
            raise DefinitionError(f"{where}: {place}: nested deeper than {MAX_DEPTH} lists and mappings")
        for step, below in value.items() if isinstance(value, dict) else enumerate(value):
            check_plain(step, where=where, path=(*path, step))
            check_plain(below, where=where, path=(*path, step))
    elif flaw := _find_flaw(value):
        place = f"{format_path(path)}: " if path else ""
        raise DefinitionError(f"{where}: {place}{flaw}")


def _find_flaw(value: object) -> str:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeError:
            return "holds half a character, which no file can"
    elif isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no number with digits"
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "is an integer beyond 64 bits, which readers change; write it as a text"
    return ""

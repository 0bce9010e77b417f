"""The filters that put values of any shape into YAML."""

import json
import re
from typing import Any

from jsorc_gitops.model.yaml import format_yaml
from jsorc_gitops.render.limits import LimitError

_DEEPEST_INDENT = 8
# JSON may hold these as they are; in YAML they could not be read back, or would end a line.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def to_yaml(value: Any) -> str:
    """The value as block YAML with sorted keys."""
    return format_yaml(value).removesuffix("\n")


def to_json(value: Any, indent: int | None = None) -> str:
    """The value as JSON with sorted keys that is YAML, too."""
    if indent is not None and not 0 <= indent <= _DEEPEST_INDENT:
        raise LimitError(f"tojson: an indent of {indent} is not between 0 and {_DEEPEST_INDENT}")
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent)
    return _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)

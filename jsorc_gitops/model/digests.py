"""One digest for one meaning: the order of keys and the way of writing do not count."""

import hashlib
import json
from typing import Any

# Made once: json.dumps would make another one for every value.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def hash_value(value: Any) -> str:
    """The SHA-256, in hex, of a value in canonical JSON."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()


def hash_body(value: Any) -> str:
    """What is remembered of an object: the first 16 digits."""
    return hash_value(value)[:16]

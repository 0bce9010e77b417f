"""Masks in the place of what a Secret holds: equal values have equal masks, and no mask tells its value.

A mask is keyed (HMAC-SHA256), so whoever sees it cannot try passwords on it without the key.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jsorc_gitops.model.objects import Body, Manifest, ObjectRef

_DIGITS = 12  # 48 bits: two of a thousand values share a mask once in 500 million trees
_SHOWN = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
_LONGEST_NOTE = 100


def is_secret(ref: ObjectRef) -> bool:
    """Whether an object's values must not be shown; SealedSecret, ExternalSecret and the like may be."""
    return ref.group_kind == ("", "Secret")


def encode_strings(body: Body) -> Body:
    """A Secret with its stringData as data, which is how the server keeps it; other objects as they are.

    Server-side apply takes the two for different fields: by stringData a key would be taken from others without
    a conflict, and would stay when git drops it.
    """
    if (body["apiVersion"], body["kind"]) != ("v1", "Secret") or "stringData" not in body:
        return body
    encoded = {
        key: base64.b64encode(str(text).encode()).decode() for key, text in (body["stringData"] or {}).items()
    }
    rest = {key: value for key, value in body.items() if key != "stringData"}
    return {**rest, "data": {**(body.get("data") or {}), **encoded}}


def mask_value(value: Any, key: bytes) -> str:
    """'masked:1f0c…' for a text, for bytes, or for what is wrong in a Secret (a number, a mapping).

    Raises ValueError where the key is empty: such a mask could be guessed.
    """
    if not key:
        raise ValueError("a mask needs a key")
    if isinstance(value, str):
        value = value.encode(errors="surrogatepass")
    # The tag keeps the text "5" and the number 5 apart: the server takes one and refuses the other.
    tagged = b"b" + value if isinstance(value, bytes) else b"j" + json.dumps(value, sort_keys=True).encode()
    return f"masked:{hmac.new(key, tagged, hashlib.sha256).hexdigest()[:_DIGITS]}"


def mask_secret(body: Body, key: bytes) -> dict[str, Any]:
    """A Secret's body with masks for all it holds; names of keys, type, labels and short annotations stay.

    `data` is masked by its bytes, so a value has one mask in `data` and in `stringData`. An annotation that
    could be a copy of the object (last-applied-configuration, other tools' like it) is masked whole.
    """
    # A misspelled stringdata holds secrets, too, so what is shown is listed and not what is masked.
    masked = {
        field: value if field in _SHOWN else _mask_all(value, key, encoded=field == "data")
        for field, value in body.items()
    }
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if isinstance(metadata, Mapping) and isinstance(annotations, Mapping):
        shown = {name: text if _is_note(text) else mask_value(text, key) for name, text in annotations.items()}
        masked["metadata"] = {**metadata, "annotations": shown}
    return masked


def mask_manifests(manifests: Mapping[ObjectRef, Manifest], key: bytes) -> dict[ObjectRef, Manifest]:
    """The same objects, with masks in the Secrets."""
    return {
        ref: replace(each, body=mask_secret(each.body, key)) if is_secret(ref) else each
        for ref, each in manifests.items()
    }


def decode_data(value: Any) -> Any:
    """The bytes that a value of `data` stands for; as it is where it is not base64."""
    try:
        # The server's decoder skips line breaks, and nothing else.
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (AttributeError, binascii.Error, ValueError):
        return value


def _mask_all(values: Any, key: bytes, *, encoded: bool) -> Any:
    if values is None:
        return None
    if not isinstance(values, Mapping):
        return mask_value(values, key)
    return {name: mask_value(decode_data(each) if encoded else each, key) for name, each in values.items()}


def _is_note(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= _LONGEST_NOTE and not set(text) & set("{[\n")

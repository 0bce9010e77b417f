"""How large an object may be. The figures are those of a Kubernetes 1.36 server with the defaults of etcd."""

import json
import marshal
from collections.abc import Iterable, Iterator
from typing import Any

from jsorc_gitops.model.objects import Body, Manifest
from jsorc_gitops.render.findings import Rule
from jsorc_gitops.render.pods import mapping_at
from jsorc_gitops.render.schemas import Mistake

_OBJECT = 3 << 19  # etcd's --max-request-bytes, 1.5 MiB
_DATA = 1 << 20  # of a ConfigMap or a Secret, without its keys
_ANNOTATIONS = 1 << 18  # all of them together, with their keys

_WITH_DATA = {("", "ConfigMap"), ("", "Secret")}


def check_size(manifest: Manifest) -> Iterator[Mistake]:
    """What the API server, or the store behind it, has no room for."""
    try:
        # Three times as fast as writing JSON, and never shorter than any of the texts that count below.
        if len(marshal.dumps(dict(manifest.body), 2)) < _ANNOTATIONS:
            return
    except ValueError:
        yield Mistake(rule=Rule.TOO_LARGE, path=(), message="is nested too deeply, or holds itself")
        return
    annotations = mapping_at(manifest.body, "metadata", "annotations")
    size = _measure((*annotations, *annotations.values()))
    yield from _check_limit(("metadata", "annotations"), size, _ANNOTATIONS)
    if manifest.ref.group_kind in _WITH_DATA:
        yield from _check_limit(("data",), _measure_data(manifest.body), _DATA)
    text = json.dumps(manifest.body, ensure_ascii=False, separators=(",", ":"))
    yield from _check_limit((), _measure([text]), _OBJECT)


def _check_limit(path: tuple[str, ...], size: int, limit: int) -> Iterator[Mistake]:
    if size > limit:
        message = f"is {size:,} bytes long; the API server takes {limit:,} at most"
        yield Mistake(rule=Rule.TOO_LARGE, path=path, message=message)


def _measure_data(body: Body) -> int:
    """The bytes of all values of a ConfigMap or a Secret, base64 decoded."""
    is_secret = body["kind"] == "Secret"
    texts = mapping_at(body, "stringData" if is_secret else "data").values()
    encoded = mapping_at(body, "data" if is_secret else "binaryData").values()
    return _measure(texts) + sum(_measure_base64(each) for each in encoded if isinstance(each, str))


def _measure_base64(text: str) -> int:
    digits = "".join(text.split())
    return len(digits) * 3 // 4 - digits.count("=")


def _measure(texts: Iterable[Any]) -> int:
    return sum(len(each.encode(errors="surrogatepass")) for each in texts if isinstance(each, str))

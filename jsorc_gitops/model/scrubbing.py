"""Takes secrets out of texts that programs and servers write: logs, messages of containers, Events, conditions.

What a tree's Secrets hold is taken out by its value, wherever it stands; what looks like a credential, by its
form.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

from jsorc_gitops.model.masks import decode_data, is_secret
from jsorc_gitops.model.objects import Manifest

MASK = "[masked]"
SHORTEST = 8  # what is shorter stands in any text by accident: true, admin, 8080

# What programs call a secret, and how they write what it is: password=…, DB_PASSWORD: …, "secret": "…".
HIDDEN_NAMES = r"passw(?:or)?d|passphrase|pwd|secret|token|(?:api|access|secret|private)[_-]?key"
HIDDEN_EQUALS = r"['\"]?\s*[:=]\s*"
HIDDEN_VALUE = r"'[^']*'|\"[^\"]*\"|[^\s,;}&]+"

_CREDENTIALS = re.compile(
    r"(?P<before>\b(?:bearer|token|basic|apikey)[ :=]+[\"']?)[\w~+/.=-]{16,}"
    r"|(?P<url>://[^\s/:@]*:)[^\s'\"]+(?=@)"
    rf"|(?P<key>(?:{HIDDEN_NAMES}){HIDDEN_EQUALS})(?:{HIDDEN_VALUE})"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    re.IGNORECASE,
)


def make_scrubber(manifests: Iterable[Manifest]) -> Callable[[str], str]:
    """What masks in a text the values of all Secrets among the objects, as they are, encoded, or by the line.

    It reads them when it is first called.
    """

    @cache
    def compile_values() -> re.Pattern[str] | None:
        secrets = (each for each in manifests if is_secret(each.ref))
        return _compile(value for each in secrets for value in _list_values(each))

    def scrub(text: str) -> str:
        known = compile_values() if text else None
        if known:
            text = known.sub(MASK, text)
        return _CREDENTIALS.sub(
            lambda found: f"{found['before'] or found['url'] or found['key'] or ''}{MASK}", text
        )

    return scrub


def make_value_scrubber(values: Iterable[str]) -> Callable[[str], str]:
    """What masks these values in a text, in all their forms."""
    known = _compile(each.encode(errors="surrogatepass") for each in values)
    return lambda text: known.sub(MASK, text) if known else text


def _compile(values: Iterable[bytes]) -> re.Pattern[str] | None:
    forms = {form for value in {*values} for form in _list_forms(value) if len(form) >= SHORTEST}
    # The longest first: of two values one may begin with the other.
    words = [re.escape(each) for each in sorted(forms, key=lambda each: (-len(each), each))]
    return re.compile("|".join(words)) if words else None


def _list_values(manifest: Manifest) -> Iterator[bytes]:
    """All that a Secret holds, decoded."""
    for field in ("data", "stringData"):
        values: Any = manifest.body.get(field)
        for value in values.values() if isinstance(values, dict) else ():
            decoded = decode_data(value) if field == "data" else value
            yield decoded if isinstance(decoded, bytes) else str(decoded).encode(errors="surrogatepass")


def _list_forms(value: bytes) -> Iterator[str]:
    """How a value may stand in a text: as it is, line by line, in base64, in JSON, in a URL."""
    for encoded in (base64.b64encode(value), base64.urlsafe_b64encode(value)):
        yield encoded.decode().rstrip("=")
    text = value.decode(errors="ignore").strip()
    yield text
    for line in {text, *text.splitlines()}:
        plain = line.strip()
        yield from (plain, json.dumps(plain)[1:-1], quote(plain, safe=""), quote_plus(plain))

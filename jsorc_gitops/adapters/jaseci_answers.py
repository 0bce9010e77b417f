"""What Jaseci's answers mean, version by version; pure."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from jsorc_gitops.model.fields import find_near
from jsorc_gitops.model.jaseci import Answer, ServiceState
from jsorc_gitops.model.scrubbing import HIDDEN_EQUALS, HIDDEN_NAMES, HIDDEN_VALUE

_STATES = {
    "RUNNING": ServiceState.RUNNING,
    "FAILED": ServiceState.FAILED,
    "STARTED": ServiceState.STOPPED,
    "RESTART": ServiceState.STOPPED,
    "NOT_STARTED": ServiceState.STOPPED,
}
# What the versions from 1.3 to 1.4.2.6 call their services; none of them lists its own.
_NAMES = ("elastic", "kube", "mail", "meta", "prome", "promon", "redis", "store", "stripe", "task")
_RENAMED = {"promon": "prome", "prome": "promon"}  # before 1.4, and since
_UNKNOWN = ("is not existing", "Service (svc) field is required", "is not a valid service")
_WORD = re.compile(r"[A-Z_]{1,40}\Z")
_LENGTH = 300

_USER_INFO = re.compile(r"(://)[^\s'\"]*@")
_SCHEME = re.compile(r"\b(basic|bearer|token)\s+[\w+/=.~-]{8,}", re.IGNORECASE)
_ASSIGNED = re.compile(rf"({HIDDEN_NAMES}|authorization)({HIDDEN_EQUALS})({HIDDEN_VALUE})", re.IGNORECASE)
_KEY = re.compile(r"pass|pwd|secret|token|key|auth|cred", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^\s:]*:(\S+)@")
_URL_SAFE = str.maketrans("+/", "-_")
_SHORT = 3  # letters; what is no longer may be in any text
_HIDDEN = "…"


def parse_info(info: Mapping[str, Any], secrets: Iterable[str]) -> Answer:
    """The answer of service_info (1.4.0.20 and newer); its error is shown without what may be a secret."""
    if info.get("enabled") is False:
        return Answer(state=ServiceState.DISABLED)
    automated = info.get("automated") is True
    state = _STATES.get(info["state"])
    if state is None:
        called = repr(info["state"]) if _WORD.match(info["state"]) else "something that is no word"
        return Answer(state=ServiceState.UNKNOWN, detail=f"Jaseci calls its state {called}", automated=automated)
    error = info.get("error")
    detail = hide(error, [*secrets, *_find_secrets(info.get("config"))]) if isinstance(error, str) else ""
    return Answer(state=state, detail=detail, automated=automated)


def hide(text: str, secrets: Iterable[str]) -> str:
    """One line of at most 300 characters, without these secrets, encoded or not, and what looks like one."""
    for secret in sorted({*secrets}, key=len, reverse=True):
        for form in (secret, quote(secret, safe=""), repr(secret)[1:-1], *_encode(secret)):
            text = text.replace(form, _HIDDEN)
    text = _USER_INFO.sub(rf"\1{_HIDDEN}@", text)
    text = _ASSIGNED.sub(rf"\1\2{_HIDDEN}", text)
    text = _SCHEME.sub(rf"\1 {_HIDDEN}", text)
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= _LENGTH else f"{line[: _LENGTH - 1]}…"


def is_stranger(answer: object) -> bool:
    """Whether Jaseci says that it has no such service."""
    if isinstance(answer, dict):
        answer = f"{answer.get('response')} {answer.get('message')}"
    return isinstance(answer, str) and any(each in answer for each in _UNKNOWN)


def explain_stranger(name: str) -> str:
    """What to do about a name that Jaseci does not know."""
    meant = _RENAMED.get(name) or find_near(name, [each for each in _NAMES if each != name])
    hint = f"; did you mean {meant}? Then its service.yaml says reset: {{name: {meant}}}" if meant else ""
    return f"Jaseci knows no service {name}{hint}; if it is none of Jaseci's, reset: {{via: none}}"


def parse_config(name: str, answer: object) -> Mapping[str, Any] | str:
    """What config_get answers: a text of JSON, nothing where none is stored."""
    if answer is None:
        return f"Jaseci has stored no {name}"
    try:
        config = json.loads(answer) if isinstance(answer, str) else None
    except (ValueError, RecursionError):
        config = None
    return config if isinstance(config, dict) else f"what Jaseci has stored as {name} is no mapping"


def is_stored(name: str, answer: object) -> bool:
    """Whether config_set says that it did; it repeats the value, which may hold secrets."""
    said = answer[0] if isinstance(answer, list) and answer else None
    return isinstance(said, str) and said.startswith(f"Config of '{name}' to ")


def _encode(secret: str) -> Iterator[str]:
    """What base64 makes of a secret wherever it stands in a longer text, short of the letters it shares there."""
    for offset, shared in enumerate((0, 2, 3)):
        data = bytes(offset) + secret.encode()
        text = base64.b64encode(data).decode().rstrip("=")
        whole = text[shared : len(data) * 4 // 3]
        if len(whole) > _SHORT:
            yield from (whole, whole.translate(_URL_SAFE))


def _find_secrets(config: object, *, under: bool = False) -> Iterator[str]:
    """The texts of a config that an error must not repeat: by the names of their keys, and in URLs."""
    if isinstance(config, dict):
        for key, value in config.items():
            yield from _find_secrets(value, under=under or _KEY.search(str(key)) is not None)
    elif isinstance(config, list):
        for value in config:
            yield from _find_secrets(value, under=under)
    elif isinstance(config, str):
        yield from _PASSWORD.findall(config)
        if under and len(config) > _SHORT:
            yield config

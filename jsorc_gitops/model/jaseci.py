"""What travels between Jaseci and the rest: the state of a service, and credentials bound to an origin."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jsorc_gitops.errors import DefinitionError, SettingsError
from jsorc_gitops.model.settings import parse_origin
from jsorc_gitops.model.yaml import parse_documents

_TOKEN = re.compile(r"[!-~]+\Z")  # what an HTTP header can carry as one word
_FORM = "it holds {origin: URL, token: TOKEN} or {origin: URL, email: …, password: …}"


class ServiceState(StrEnum):
    """The state of a Jaseci service, as far as it is known."""

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    DISABLED = "disabled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A service in one Jaseci process."""

    name: str
    address: str = ""  # the IP of one pod, "" for the url of the settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Jaseci says of a service, and why where it says why."""

    state: ServiceState
    detail: str = ""
    automated: bool = False  # Jaseci's own loop resets it, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A token, or an email and a password, that may be sent to one origin only."""

    origin: str
    token: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def parse_credentials(text: str, *, source: str, url: str) -> Credentials:
    """Read credentials for `url`, or pods (JaseciSettings.locate); raise SettingsError without a part of them.

    The origin stands beside the secret, so that who may change `url` in git cannot have it sent elsewhere.
    """
    data = _parse_mapping(text, source=source)
    if not all(isinstance(value, str) for value in data.values()):
        raise SettingsError(f"{source}: all values must be texts; {_FORM}")
    if set(data) not in ({"origin", "token"}, {"origin", "email", "password"}):
        raise SettingsError(f"{source}: the keys are wrong; {_FORM}")
    origin = parse_origin(data["origin"])
    if origin is None or origin != parse_origin(url):
        raise SettingsError(
            f"{source}: the credentials are for {origin or 'no origin'}, another origin than {url}, "
            "so they are not sent there"
        )
    rest = {key: value.strip() for key, value in data.items() if key != "origin"}
    if "token" in rest and not _TOKEN.match(rest["token"]):
        raise SettingsError(f"{source}: the token holds a character that no token has; copy it again")
    return Credentials(origin=origin, **rest)


def _parse_mapping(text: str, *, source: str) -> Mapping[str, Any]:
    try:
        documents = parse_documents(text, source=source)
    except DefinitionError:
        # Not chained: a YAML error quotes what it stumbles over, and here that may be the secret.
        raise SettingsError(f"{source}: not valid YAML; {_FORM}") from None
    data = documents[0].value if len(documents) == 1 else None
    if not isinstance(data, Mapping):
        raise SettingsError(f"{source}: not a mapping; {_FORM}")
    return data

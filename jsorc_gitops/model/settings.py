"""jsorc.yaml, and the settings record that carries it into the cluster: one shape, one parser."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from jsorc_gitops.errors import SettingsError
from jsorc_gitops.model.fields import Fields
from jsorc_gitops.model.yaml import Document, parse_documents

# A DNS label (RFC 1123), what Kubernetes takes for the name of a namespace.
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")

_KEYS = ("enabled", "quiet", "interval", "namespace", "keep_alive", "jaseci")


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsReference:
    """Where the credentials for Jaseci lie: an environment variable or a file, never git."""

    kind: Literal["env", "file"]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JaseciSettings:
    """The Jaseci server whose services are reset: its origin, and where its credentials lie."""

    url: str
    credentials: CredentialsReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What jsorc.yaml says. `interval` in seconds; `keep_alive` None means every service."""

    enabled: bool = True
    quiet: bool = True
    interval: float = 10
    namespace: str = "default"
    keep_alive: tuple[str, ...] | None = None
    jaseci: JaseciSettings | None = None

    def keeps_alive(self, service: str) -> bool:
        return self.keep_alive is None or service in self.keep_alive


def parse_settings(text: str, *, source: str, services: Collection[str] | None = None) -> Settings:
    """Read jsorc.yaml; with `services` known, keep_alive may name no other. Raises SettingsError."""
    documents = parse_documents(text, source=source, locate=True) or [Document({}, 1, {})]
    if len(documents) > 1:
        raise SettingsError(f"{source}:{documents[1].line}: settings are one document, this begins a second")
    fields = Fields(document=documents[0], source=source, error=SettingsError).allow(_KEYS)
    namespace = fields.text("namespace", "default")
    if not DNS_LABEL.match(namespace):
        fields.fail(f"{namespace!r} is no name of a namespace (lower-case letters, digits, '-')", "namespace")
    keep_alive = fields.texts("keep_alive")
    for index, name in enumerate(keep_alive or ()):
        if services is not None and name not in services:
            known = ", ".join(sorted(services)) or "none"
            fields.fail(
                f"no service {name!r} under templates/ (there: {known}); take it out", "keep_alive", index
            )
    return Settings(
        enabled=fields.boolean("enabled", default=True),
        quiet=fields.boolean("quiet", default=True),
        interval=fields.seconds("interval", 10),
        namespace=namespace,
        keep_alive=keep_alive,
        jaseci=_parse_jaseci(fields.below("jaseci")),
    )


def format_settings(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, which parse_settings reads back equal."""
    data: dict[str, Any] = {
        "enabled": settings.enabled,
        "quiet": settings.quiet,
        "interval": settings.interval,
        "namespace": settings.namespace,
    }
    if settings.keep_alive is not None:
        data["keep_alive"] = list(settings.keep_alive)
    if settings.jaseci:
        reference = settings.jaseci.credentials
        data["jaseci"] = {"url": settings.jaseci.url, "credentials": {reference.kind: reference.name}}
    return data


def parse_origin(url: str) -> str | None:
    """'HTTP://Host:80/x' → 'http://host:80', with the port always there; None where it is no http(s) URL."""
    try:
        parts = urlsplit(url)
        usual = {"http": 80, "https": 443}[parts.scheme]
        port = usual if parts.port is None else parts.port
    except (ValueError, KeyError):
        return None
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else None


def _parse_jaseci(fields: Fields | None) -> JaseciSettings | None:
    if fields is None:
        return None
    fields.allow(("url", "credentials"))
    url = fields.text("url").rstrip("/")
    parts = urlsplit(url)
    if parse_origin(url) is None or parts.query or parts.fragment:
        fields.fail(f"{url!r} is no http:// or https:// URL", "url")
    if parts.username or parts.password:
        fields.fail("credentials do not belong into a URL; use jaseci.credentials", "url")
    reference = fields.below("credentials")
    if reference is None:
        fields.fail("is missing; say {env: VARIABLE} or {file: PATH}", "credentials")
    reference.allow(("env", "file"))
    if len(reference.mapping) != 1:
        reference.fail("must be exactly one of {env: VARIABLE} and {file: PATH}")
    kind: Literal["env", "file"] = "env" if "env" in reference.mapping else "file"
    return JaseciSettings(url=url, credentials=CredentialsReference(kind=kind, name=reference.text(kind)))

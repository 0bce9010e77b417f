"""jsorc.yaml, and the settings record that carries it into the cluster: one shape, one parser."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from jsorc_gitops.errors import SettingsError
from jsorc_gitops.model.fields import Fields, find_near
from jsorc_gitops.model.yaml import Document, parse_documents

# A DNS label (RFC 1123), what Kubernetes takes for the name of a namespace.
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")

_PODS = "pods://"

# Labels as kubectl -l has them, but for sets: key=value, key!=value, key, !key.
_SELECTOR = re.compile(r"!?[\w./-]+(!?==?[\w.-]*)?(,!?[\w./-]+(!?==?[\w.-]*)?)*\Z", re.ASCII)

_KEYS = (
    "enabled",
    "quiet",
    "interval",
    "namespace",
    "namespaces",
    "keep_alive",
    "cluster",
    "applier",
    "jaseci",
    "environments",
)
_ENVIRONMENT_KEYS = ("namespace", "namespaces", "keep_alive", "cluster", "applier", "jaseci")

# Who applies a tree: jsorc itself, or what syncs rendered/ and has it judge and reset beside.
Applier = Literal["jsorc", "flux", "argocd"]
APPLIERS: tuple[Applier, ...] = ("jsorc", "flux", "argocd")

# The tree of a repository without environments.
DEFAULT_TREE = "default"

# Where a service's objects go: where each says, all into the home namespace, or all into one given by name.
AS_WRITTEN, HOME = "as-written", "home"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsReference:
    """Where the credentials for Jaseci lie: an environment variable or a file, never git."""

    kind: Literal["env", "file"]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JaseciSettings:
    """The Jaseci server whose services are reset, and where its credentials lie.

    It is one process at `url`; or those of all Ready pods that `selector` finds in `namespace` ("" for the home
    namespace), at `port`, and then `url` is "".
    """

    credentials: CredentialsReference
    url: str = ""
    selector: str = ""
    port: int = 0
    namespace: str = ""

    def locate(self, home: str) -> str:
        """Where the credentials go: the url, or pods://NAMESPACE/SELECTOR:PORT."""
        return self.url or f"{_PODS}{self.namespace or home}/{self.selector}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What one environment says otherwise than the rest of jsorc.yaml; None and "" where it says nothing."""

    namespace: str = ""
    namespaces: Mapping[str, str] = field(default_factory=dict)
    keep_alive: tuple[str, ...] | None = None
    cluster: str = ""
    applier: Applier | None = None
    jaseci: JaseciSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What jsorc.yaml says. `interval` in seconds; `keep_alive` None means every service.

    `namespaces` overrides the namespace policy of services by name. `cluster` is the UID of the namespace
    kube-system of the only cluster this may be applied to, "" for any.
    """

    enabled: bool = True
    quiet: bool = True
    interval: float = 10
    namespace: str = "default"
    namespaces: Mapping[str, str] = field(default_factory=dict)
    keep_alive: tuple[str, ...] | None = None
    cluster: str = ""
    applier: Applier = "jsorc"
    jaseci: JaseciSettings | None = None
    environments: Mapping[str, Environment] = field(default_factory=dict)

    def keeps_alive(self, service: str) -> bool:
        return self.keep_alive is None or service in self.keep_alive

    def of_tree(self, tree: str) -> "Settings":
        """The settings of one tree; those of an environment's know of no environments themselves."""
        if tree == DEFAULT_TREE:
            return self
        environment = self.environments[tree]
        return replace(
            self,
            namespace=environment.namespace or self.namespace,
            namespaces={**self.namespaces, **environment.namespaces},
            keep_alive=self.keep_alive if environment.keep_alive is None else environment.keep_alive,
            cluster=environment.cluster or self.cluster,
            applier=environment.applier or self.applier,
            jaseci=environment.jaseci or self.jaseci,
            environments={},
        )


def parse_settings(text: str, *, source: str, services: Collection[str] | None = None) -> Settings:
    """Read jsorc.yaml; with `services` known, keep_alive may name no other. Raises SettingsError."""
    documents = parse_documents(text, source=source) or [Document({})]
    if len(documents) > 1:
        raise SettingsError(f"{source}:{documents[1].line}: settings are one document, this begins a second")
    fields = Fields(document=documents[0], source=source, error=SettingsError).allow(_KEYS)
    return Settings(
        enabled=fields.boolean("enabled", default=True),
        quiet=fields.boolean("quiet", default=True),
        interval=fields.seconds("interval", 10),
        namespace=_parse_namespace(fields, "namespace", "default"),
        namespaces=_parse_namespaces(fields, services),
        keep_alive=_parse_keep_alive(fields, services),
        cluster=fields.text("cluster") if "cluster" in fields.mapping else "",
        applier=_parse_applier(fields) or "jsorc",
        jaseci=_parse_jaseci(fields.below("jaseci")),
        environments=_parse_environments(fields.below("environments"), services),
    )


def format_settings(settings: Settings) -> dict[str, Any]:
    """The settings of one tree as plain data, which parse_settings reads back equal."""
    data: dict[str, Any] = {
        "enabled": settings.enabled,
        "quiet": settings.quiet,
        "interval": settings.interval,
        "namespace": settings.namespace,
    }
    if settings.namespaces:
        data["namespaces"] = dict(settings.namespaces)
    if settings.keep_alive is not None:
        data["keep_alive"] = list(settings.keep_alive)
    if settings.cluster:
        data["cluster"] = settings.cluster
    if settings.applier != "jsorc":
        data["applier"] = settings.applier
    if settings.jaseci:
        reference = settings.jaseci.credentials
        where = ("url", "selector", "port", "namespace")
        data["jaseci"] = {key: value for key in where if (value := getattr(settings.jaseci, key))}
        data["jaseci"]["credentials"] = {reference.kind: reference.name}
    return data


def parse_origin(url: str) -> str | None:
    """'HTTP://Host:80/x' → 'http://host:80', with the port always there; None where it is no http(s) URL.

    What JaseciSettings.locate says of pods is its own origin.
    """
    if url.startswith(_PODS):
        return url
    try:
        parts = urlsplit(url)
        usual = {"http": 80, "https": 443}[parts.scheme]
        port = usual if parts.port is None else parts.port
    except (ValueError, KeyError):
        return None
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else None


def format_services(name: str, services: Collection[str]) -> str:
    """Which service a name that is none may mean, to end a message with; all of them where none is near."""
    known = sorted(services)
    near = find_near(name, known)
    return f"; did you mean {near}?" if near else f" (there: {', '.join(known) or 'none'})"


def _parse_namespace(fields: Fields, key: str, default: str | None = None) -> str:
    namespace = fields.text(key, default)
    if not DNS_LABEL.match(namespace):
        fields.fail(f"{namespace!r} is no name of a namespace (lower-case letters, digits, '-')", key)
    return namespace


def _parse_namespaces(fields: Fields, services: Collection[str] | None) -> Mapping[str, str]:
    below = fields.below("namespaces")
    if below is None:
        return {}
    for name in below.mapping:
        _check_service(below, services, name, name)
    return {name: _parse_namespace(below, name) for name in sorted(below.mapping)}


def _parse_keep_alive(fields: Fields, services: Collection[str] | None) -> tuple[str, ...] | None:
    keep_alive = fields.texts("keep_alive")
    for index, name in enumerate(keep_alive or ()):
        _check_service(fields, services, name, "keep_alive", index)
    return keep_alive


def _check_service(fields: Fields, services: Collection[str] | None, name: str, *path: str | int) -> None:
    if services is not None and name not in services:
        hint = format_services(name, services)
        rest = "" if hint.endswith("?") else "; take it out"
        fields.fail(f"no service {name!r} under templates/{hint}{rest}", *path)


def _parse_environments(fields: Fields | None, services: Collection[str] | None) -> Mapping[str, Environment]:
    if fields is None:
        return {}
    for name in fields.mapping:
        if not DNS_LABEL.match(name):
            fields.fail("an environment's name is a DNS label (lower-case letters, digits, '-')", name)
        if name == DEFAULT_TREE:
            fields.fail("is what the tree of a repository without environments is called; choose another", name)
    return {name: _parse_environment(fields.below(name), services) for name in sorted(fields.mapping)}


def _parse_environment(fields: Fields | None, services: Collection[str] | None) -> Environment:
    if fields is None:
        return Environment()
    fields.allow(_ENVIRONMENT_KEYS)
    return Environment(
        namespace=_parse_namespace(fields, "namespace") if "namespace" in fields.mapping else "",
        namespaces=_parse_namespaces(fields, services),
        keep_alive=_parse_keep_alive(fields, services),
        cluster=fields.text("cluster") if "cluster" in fields.mapping else "",
        applier=_parse_applier(fields),
        jaseci=_parse_jaseci(fields.below("jaseci")),
    )


def _parse_applier(fields: Fields) -> Applier | None:
    if "applier" not in fields.mapping:
        return None
    word = fields.text("applier")
    found = next((each for each in APPLIERS if each == word), None)
    if found is None:
        fields.fail(f"must be {', '.join(APPLIERS[:-1])} or {APPLIERS[-1]}, not {word!r}", "applier")
    return found


def _parse_jaseci(fields: Fields | None) -> JaseciSettings | None:
    if fields is None:
        return None
    fields.allow(("url", "selector", "port", "namespace", "credentials"))
    reference = _parse_reference(fields)
    if not {"selector", "url"} & fields.mapping.keys():
        fields.fail("is missing; say url, or selector and port", "url")
    if "selector" not in fields.mapping:
        for key in ("port", "namespace"):
            if key in fields.mapping:
                fields.fail("belongs to a selector of pods; a url says it itself", key)
        return JaseciSettings(url=_parse_url(fields), credentials=reference)
    if "url" in fields.mapping:
        fields.fail("is one of two; say either url, or selector and port", "url")
    selector = fields.text("selector")
    if not _SELECTOR.match(selector):
        fields.fail(f"{selector!r} is no selector of labels, like app=jaseci,tier=web", "selector")
    namespace = _parse_namespace(fields, "namespace") if "namespace" in fields.mapping else ""
    port = fields.port("port")
    return JaseciSettings(selector=selector, port=port, namespace=namespace, credentials=reference)


def _parse_url(fields: Fields) -> str:
    url = fields.text("url").rstrip("/")
    parts = urlsplit(url)
    if url.startswith(_PODS) or parse_origin(url) is None or parts.query or parts.fragment:
        fields.fail(f"{url!r} is no http:// or https:// URL", "url")
    if parts.username or parts.password:
        fields.fail("credentials do not belong into a URL; use jaseci.credentials", "url")
    return url


def _parse_reference(fields: Fields) -> CredentialsReference:
    reference = fields.below("credentials")
    if reference is None:
        fields.fail("is missing; say {env: VARIABLE} or {file: PATH}", "credentials")
    reference.allow(("env", "file"))
    if len(reference.mapping) != 1:
        reference.fail("must be exactly one of {env: VARIABLE} and {file: PATH}")
    kind: Literal["env", "file"] = "env" if "env" in reference.mapping else "file"
    return CredentialsReference(kind=kind, name=reference.text(kind))

"""A service: as its folder under templates/ defines it, and as its record carries it into the cluster."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jsorc_gitops.errors import DefinitionError, FormatError
from jsorc_gitops.model.fields import Fields
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.policy import KEYS as POLICY_KEYS
from jsorc_gitops.model.policy import ApplyPolicy, format_policy, parse_policy, read_policy
from jsorc_gitops.model.settings import AS_WRITTEN, DNS_LABEL, HOME, format_services
from jsorc_gitops.model.sources import Sources
from jsorc_gitops.model.yaml import Document, parse_documents

RECORD_VERSION = 1

# How a service is reset: a call to Jaseci, a restart of its workloads, not at all.
Way = Literal["jaseci", "rollout", "none"]

_KEYS = ("values", "config", "reset", "dependsOn", "namespace", "plainSecrets", "python", *POLICY_KEYS)
# package.module:NAME of a class or a dict
PYTHON_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFiles:
    """A folder under templates/ as it lies on disk: file name → text."""

    name: str
    folder: str  # as messages spell it, e.g. templates/redis
    texts: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDefinition:
    """What service.yaml says, with the values of the environment merged in.

    `watch` names workloads as Kind/name; None means all of the service. `namespace` is AS_WRITTEN, HOME or a
    name. `python` is "package.module:NAME" of a class or a dict, "" where there is none.
    """

    name: str
    values: Mapping[str, Any] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    via: Way
    jaseci_name: str
    watch: tuple[str, ...] | None
    depends_on: tuple[str, ...]
    applies_config: bool = False
    namespace: str = AS_WRITTEN
    plain_secrets: bool = False
    python: str = ""
    policy: ApplyPolicy = field(default_factory=ApplyPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltDefinition:
    """What a Python definition says, as JSON data: `kube` in one of JsOrc's shapes, and Jaseci's `config`."""

    kube: Any = field(repr=False)
    config: Any = field(repr=False)
    sources: Sources = field(default_factory=Sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """All that `jsorc reconcile` knows of a service. `workloads` are judged, `watch` decides on resets.

    `others` are judged, too, where there is nothing but the record to tell what the service has.
    `config` is what Jaseci's own is compared with, and merged into that where `applies_config` says so.
    """

    name: str
    keep_alive: bool
    config: Mapping[str, Any] = field(repr=False)
    via: Way
    jaseci_name: str
    depends_on: tuple[str, ...]
    workloads: tuple[ObjectRef, ...]
    watch: tuple[ObjectRef, ...]
    applies_config: bool = False
    policy: ApplyPolicy = field(default_factory=ApplyPolicy)
    others: tuple[ObjectRef, ...] = ()


def parse_definition(
    files: ServiceFiles, *, services: frozenset[str], environment: str = ""
) -> ServiceDefinition:
    """Read a folder's service.yaml and values.<environment>.yaml, both optional.

    Raises DefinitionError with file, line and key.
    """
    if not DNS_LABEL.match(files.name):
        raise DefinitionError(
            f"{files.folder}: a service's name is a DNS label (lower-case letters, digits, '-')"
        )
    fields = _read_fields(files, "service.yaml").allow(_KEYS)
    depends_on = fields.texts("dependsOn") or ()
    for index, name in enumerate(depends_on):
        if name not in services or name == files.name:
            hint = format_services(name, services - {files.name})
            fields.fail(f"no other service {name!r} under templates/{hint}", "dependsOn", index)
    reset = fields.below("reset")
    via: Way = "jaseci"
    if reset:
        reset.allow(("via", "name", "watch", "config"))
        match reset.text("via", "jaseci"):
            case "jaseci" | "rollout" | "none" as via:
                pass
            case other:
                reset.fail(f"must be jaseci, rollout or none, not {other!r}", "via")
    values = fields.plain("values")
    if environment:
        over = _read_fields(files, f"values.{environment}.yaml")
        if [*over.mapping] == ["values"] and "values" not in values:
            over.fail("values stand here at the top, without this key", "values")
        values = merge_values(values, over.mapping)
    return ServiceDefinition(
        name=files.name,
        values=values,
        config=fields.plain("config"),
        namespace=_parse_policy(fields),
        plain_secrets=_parse_plain_secrets(fields),
        python=_parse_python(fields),
        policy=parse_policy(fields),
        via=via,
        jaseci_name=reset.text("name", files.name) if reset else files.name,
        applies_config=_parse_config_mode(reset) if reset else False,
        watch=reset.texts("watch") if reset else None,
        depends_on=depends_on,
    )


def merge_values(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`: mappings are merged key by key, everything else (lists, null) replaces."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge_values(below, value) if both else value  # type: ignore[arg-type]
    return merged


def find_secret_ref(value: Any) -> tuple[str, str] | None:
    """(name, key) where a value of a config refers to that of a Secret, as an environment variable does."""
    match value:
        case {"valueFrom": {"secretKeyRef": {"name": str(name), "key": str(key), **other}, **more}, **most}:
            return None if other or more or most else (name, key)
    return None


def list_secret_refs(value: Any) -> list[tuple[str, str]]:
    """Every reference in a config."""
    if found := find_secret_ref(value):
        return [found]
    below = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [found for each in below for found in list_secret_refs(each)]


def format_record(record: ServiceRecord) -> str:
    """The record as the JSON text that stands in its ConfigMap."""
    data = {
        "version": RECORD_VERSION,
        "service": record.name,
        "keepAlive": record.keep_alive,
        "config": record.config,
        "reset": {
            "via": record.via,
            "name": record.jaseci_name,
            "watch": [_format_ref(ref) for ref in record.watch],
            **({"config": "apply"} if record.applies_config else {}),
        },
        "dependsOn": list(record.depends_on),
        "workloads": [_format_ref(ref) for ref in record.workloads],
        **({"others": [_format_ref(ref) for ref in record.others]} if record.others else {}),
        **format_policy(record.policy),
    }
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def parse_record(text: str, *, where: str) -> ServiceRecord:
    """Read a record back; raise FormatError where it is of a newer version or not one of ours."""
    try:
        data = json.loads(text)
        if data["version"] != RECORD_VERSION:
            raise FormatError(
                f"{where}: the record has version {data['version']}, this jsorc reads {RECORD_VERSION}; "
                "use the jsorc that rendered it, or a newer one"
            )
        reset = data["reset"]
        return ServiceRecord(
            name=data["service"],
            keep_alive=data["keepAlive"],
            config=data["config"],
            via=reset["via"],
            jaseci_name=reset["name"],
            depends_on=tuple(data["dependsOn"]),
            workloads=tuple(ObjectRef(**ref) for ref in data["workloads"]),
            watch=tuple(ObjectRef(**ref) for ref in reset["watch"]),
            applies_config=reset.get("config") == "apply",
            policy=read_policy(data),
            others=tuple(ObjectRef(**ref) for ref in data.get("others", ())),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{where}: not a service record; render it again") from error


def _read_fields(files: ServiceFiles, name: str) -> Fields:
    source = f"{files.folder}/{name}"
    documents = parse_documents(files.texts.get(name, ""), source=source)
    if len(documents) > 1:
        raise DefinitionError(f"{source}:{documents[1].line}: must be one document, this begins a second")
    document = documents[0] if documents else Document({})
    return Fields(document=document, source=source, error=DefinitionError)


def _parse_policy(fields: Fields) -> str:
    policy = fields.text("namespace", AS_WRITTEN)
    if not DNS_LABEL.match(policy):
        fields.fail(f"must be {AS_WRITTEN}, {HOME} or the name of a namespace, not {policy!r}", "namespace")
    return policy


def _parse_config_mode(reset: Fields) -> bool:
    word = reset.text("config", "report")
    if word not in {"report", "apply"}:
        reset.fail(f"must be report or apply, not {word!r}", "config")
    return word == "apply"


def _parse_plain_secrets(fields: Fields) -> bool:
    word = fields.text("plainSecrets", "refuse")
    if word not in {"allow", "refuse"}:
        fields.fail(f"must be allow or refuse, not {word!r}", "plainSecrets")
    return word == "allow"


def _parse_python(fields: Fields) -> str:
    name = fields.text("python") if "python" in fields.mapping else ""
    if name and not PYTHON_NAME.match(name):
        fields.fail(f"must be package.module:NAME, not {name!r}", "python")
    return name


def _format_ref(ref: ObjectRef) -> dict[str, str]:
    return {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}

"""Turns manifests that exist, in a cluster, a file or Jaseci's code, into the folder of a service."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from typing import Any

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.layout import compute_file_name
from jsorc_gitops.model.masks import is_secret
from jsorc_gitops.model.objects import Body, Manifest, ObjectRef, parse_manifest
from jsorc_gitops.model.plain import check_plain
from jsorc_gitops.model.settings import DNS_LABEL
from jsorc_gitops.model.yaml import format_documents, format_yaml, parse_documents
from jsorc_gitops.render.cleaning import clean_object, find_origin
from jsorc_gitops.render.shapes import flatten_objects

_HEADER = "# Made by jsorc import; every key: docs/service.md in jsorc's own repository.\n"
_FILE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*(\.[a-z0-9.-]+)?\.yaml\Z")  # what cannot lead elsewhere
_FILE_ENDINGS = (".yaml", ".yml", ".json")
_NAME_ENDINGS = ("_kube", "_manifest", "service")
# What Jaseci 1.4.2.6 can reset, and what else a service of that kind is called.
_JASECI_NAMES = {
    **{name: name for name in ("elastic", "kube", "mail", "prome", "redis", "store", "stripe", "task")},
    "prometheus": "prome",
    "promon": "prome",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A service's new files, by their path below its folder, and what was left out with the reason for it."""

    texts: Mapping[str, str] = field(repr=False)
    refs: tuple[ObjectRef, ...]
    left_out: tuple[tuple[ObjectRef, str], ...]


def derive_service_name(source: str) -> str:
    """'live/redis.yaml' → 'redis', 'jaseci.svc.redis.kube:REDIS_KUBE' → 'redis'; "" where it names nothing."""
    name = source.rpartition("/")[2].rpartition(":")[2].lower()
    for ending in (*_FILE_ENDINGS, *_NAME_ENDINGS):
        name = name.removesuffix(ending)
    name = name.replace("_", "-")
    return name if DNS_LABEL.match(name) else ""


def parse_manifests(text: str, *, source: str) -> list[Manifest]:
    """The objects in a text of YAML or JSON: documents, lists of Kubernetes, JsOrc's shapes.

    Raises DefinitionError with source and line.
    """
    return [
        parse_manifest(body, where=place)
        for value, place in _parse_values(text, source=source)
        for each in flatten_objects(value, where=place)
        for body in _expand(each)
    ]


def import_service(
    manifests: Sequence[Manifest], *, service: str, config: Mapping[str, Any], plain_secrets: bool
) -> Imported:
    """The files of a service that makes these objects, each with the namespace it says, if any.

    Raises DefinitionError where an identity is there twice, nothing is left, or a Secret holds values and
    `plain_secrets` does not allow that.
    """
    left_out: list[tuple[ObjectRef, str]] = []
    kept: list[Manifest] = []
    for each in manifests:
        cleaned = replace(each, body=clean_object(each))
        reason = find_origin(each) or _find_redundancy(cleaned)
        if reason:
            left_out.append((each.ref, reason))
        else:
            kept.append(cleaned)
    kept.sort(key=_place)
    _check_unique(kept)
    secrets = [each.ref for each in kept if _holds_secrets(each)]
    if secrets and not plain_secrets:
        raise DefinitionError(
            f"{', '.join(map(str, secrets))}: would lie in git in clear text; take it out of the input (the one "
            "in the cluster stays as it is), or allow it with --plain-secrets"
        )
    if not kept and not config:
        reasons = "; ".join(f"{ref}: {reason}" for ref, reason in left_out)
        raise DefinitionError(f"nothing to import: {reasons or 'it holds no objects'}")
    texts = {"service.yaml": _format_service(service, config, plain_secrets=bool(secrets))}
    for path, group in groupby(kept, key=lambda each: _place(each)[0]):
        texts[path] = format_documents([each.body for each in group])
    return Imported(texts=texts, refs=tuple(each.ref for each in kept), left_out=tuple(left_out))


def _parse_values(text: str, *, source: str) -> list[tuple[Any, str]]:
    if text.lstrip()[:1] in {"{", "[", '"'}:
        # YAML takes nearly all of JSON: not its tabs, nor characters escaped in halves.
        with suppress(ValueError, RecursionError):
            value = json.loads(text)
            # Jaseci's config_get answers with a text that holds JSON.
            if isinstance(value, str):
                return _parse_values(value, source=source)
            check_plain(value, where=f"{source}:1")
            return [(value, f"{source}:1")]
    documents = parse_documents(text, source=source)
    return [(document.value, f"{source}:{document.line}") for document in documents]


def _expand(body: Body) -> Sequence[Any]:
    """The items of a list such as kubectl gives, else the object itself."""
    items = body.get("items")
    return items if isinstance(items, list) and str(body.get("kind")).endswith("List") else [body]


def _find_redundancy(manifest: Manifest) -> str:
    """Why the cleaned object need not be written; "" where it must."""
    says_nothing = manifest.ref.group_kind == ("", "Namespace") and manifest.body == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": manifest.ref.name},
    }
    return "jsorc render adds it where something lies in it" if says_nothing else ""


def _place(manifest: Manifest) -> tuple[str, ObjectRef]:
    name = compute_file_name(manifest.ref)
    if not _FILE_NAME.match(name):
        raise DefinitionError(f"{manifest.where}: {manifest.ref}: its kind or API group is none of Kubernetes")
    # A folder of their own: where file names have no case, Service.yaml would be service.yaml.
    return f"manifests/{name}", manifest.ref


def _check_unique(manifests: Sequence[Manifest]) -> None:
    for before, after in pairwise(manifests):
        if before.ref == after.ref:
            raise DefinitionError(f"{after.where}: {after.ref} is there twice, first at {before.where}")


def _holds_secrets(manifest: Manifest) -> bool:
    body = manifest.body
    return is_secret(manifest.ref) and "sops" not in body and bool(body.get("data") or body.get("stringData"))


def _format_service(service: str, config: Mapping[str, Any], *, plain_secrets: bool) -> str:
    data: dict[str, Any] = {}
    if config:
        data["config"] = config
    if plain_secrets:
        data["plainSecrets"] = "allow"
    name = _JASECI_NAMES.get(service)
    if name is None:
        data["reset"] = {"via": "none"}
    elif name != service:
        data["reset"] = {"name": name}
    return _HEADER + (format_yaml(data) if data else "")

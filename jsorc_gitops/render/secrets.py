"""Secrets in a tree: git is no place for what is in them, unless it is encrypted or somebody said otherwise."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.masks import is_secret
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.model.services import find_secret_ref
from jsorc_gitops.render.findings import Rule
from jsorc_gitops.render.pods import mapping_at
from jsorc_gitops.render.schemas import Mistake

_FIELDS = ("data", "stringData")
_ADVICE = "use a SealedSecret or an ExternalSecret, or say plainSecrets: allow in service.yaml"
_ENCRYPTED = "ENC["  # how a value begins that SOPS has encrypted

# What Jaseci's services call theirs (pass, key, auth, aws_secret_access_key), and what others do.
_SECRET_KEY = re.compile(
    r"(?:\A|[_-])(?:pass|passwd|passphrase|password|secret|token|auth|credentials?|key|apikey)\Z"
)
_URL_WITH_PASSWORD = re.compile(r"://[^/@\s:]*:[^/@\s]+@")


def is_encrypted(manifest: Manifest) -> bool:
    """Whether SOPS has encrypted a Secret, which Flux decrypts."""
    return is_secret(manifest.ref) and "mac" in mapping_at(manifest.body, "sops")


def strip_encryption(manifest: Manifest) -> Manifest:
    """The object without what is as Kubernetes has it only once SOPS has decrypted it."""
    if not is_encrypted(manifest):
        return manifest
    body = {key: value for key, value in manifest.body.items() if key not in {*_FIELDS, "sops"}}
    return replace(manifest, body=body)


def check_secret(manifest: Manifest, *, allowed: bool, flux: bool) -> Iterator[Mistake]:
    """Values that would lie in git for everybody to read. No message holds one."""
    if not is_secret(manifest.ref):
        return
    encrypted = is_encrypted(manifest)
    if encrypted and not flux:
        message = "only Flux decrypts this; where it does not apply, use a SealedSecret or an ExternalSecret"
        yield Mistake(rule=Rule.PLAIN_SECRET, path=("sops",), message=message)
    elif not allowed or encrypted:
        for name in _FIELDS:
            if plain := _find_plain(mapping_at(manifest.body, name), encrypted=encrypted):
                keys = ", ".join(plain)
                advice = "encrypt all of it" if encrypted else _ADVICE
                message = f"{keys} would lie in git as it is; {advice}"
                yield Mistake(rule=Rule.PLAIN_SECRET, path=(name,), message=message)


def check_config(service: str, config: Mapping[str, Any], *, allowed: bool) -> None:
    """Refuse what looks like a secret in Jaseci's config of a service; raises DefinitionError without a value."""
    plain = [] if allowed else [*_find_secrets(config, "config")]
    if plain:
        raise DefinitionError(
            f"templates/{service}: {', '.join(plain)} would lie in git as it is; refer to a Secret by valueFrom: "
            "{secretKeyRef: {name: …, key: …}}, or say plainSecrets: allow in service.yaml"
        )


def _find_secrets(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        if find_secret_ref(value):
            return
        if "valueFrom" in value:
            raise DefinitionError(
                f"{path}: a reference is valueFrom: {{secretKeyRef: {{name: …, key: …}}}}, with just these keys"
            )
        for key, each in value.items():
            yield from _find_secrets(each, f"{path}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _find_secrets(each, f"{path}[{index}]")
    elif isinstance(value, str) and value:
        # apiKey is api_key.
        key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.rpartition(".")[2].partition("[")[0]).lower()
        if _SECRET_KEY.search(key) or _URL_WITH_PASSWORD.search(value):
            yield path


def _find_plain(values: Mapping[str, Any], *, encrypted: bool) -> list[str]:
    """The keys with values that anybody can read."""
    return sorted(
        key for key, value in values.items() if value and not (encrypted and str(value).startswith(_ENCRYPTED))
    )

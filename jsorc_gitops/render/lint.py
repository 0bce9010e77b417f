"""What is wrong with objects before anything is written; all findings at once."""

import re
from collections.abc import Iterable, Mapping

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.model.settings import DNS_LABEL

# A kind and a group become part of a file name, so nothing in them may lead elsewhere.
_KIND = re.compile(r"[A-Z][A-Za-z0-9]*\Z")
_GROUP = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?\Z")
# The longest rule Kubernetes has for names of objects: RBAC names may hold colons and capitals.
# "." and ".." would, in the path of a request, name another object.
_NAME = re.compile(r"(?!\.{1,2}\Z)[^/%\s]{1,253}\Z")
# What jsorc keeps in the cluster: records, settings, state, ledger, lease.
_OWN_PREFIX = "jsorc."
_OWN_KINDS = ("ConfigMap", "Lease")


def check_manifests(services: Mapping[str, Iterable[Manifest]]) -> None:
    """Raise one DefinitionError that lists every finding."""
    findings: list[str] = []
    owners: dict[ObjectRef, str] = {}
    for service, manifests in services.items():
        for manifest in manifests:
            ref = manifest.ref
            findings += [f"{service}: {ref}: {finding}" for finding in _check_identity(ref)]
            findings += [f"{service}: {ref}: {finding}" for finding in _check_body(manifest)]
            if ref in owners:
                also = "this service" if owners[ref] == service else f"service {owners[ref]}"
                findings.append(f"{service}: {ref}: {also} defines the same object; an identity is used once")
            owners.setdefault(ref, service)
    if findings:
        raise DefinitionError("\n".join(findings))


def _check_identity(ref: ObjectRef) -> Iterable[str]:
    if not _KIND.match(ref.kind):
        yield f"kind {ref.kind!r} is no word with a capital letter; its file would leave the tree"
    if not _GROUP.match(ref.group):
        yield f"the API group {ref.group!r} is no DNS name"
    if not _NAME.match(ref.name):
        yield f"metadata.name {ref.name!r} is no name Kubernetes takes"
    if ref.namespace and not DNS_LABEL.match(ref.namespace):
        yield f"metadata.namespace {ref.namespace!r} is no name of a namespace"
    if ref.kind in _OWN_KINDS and ref.name.startswith(_OWN_PREFIX):
        yield f"names that begin with {_OWN_PREFIX} are jsorc's own"


def _check_body(manifest: Manifest) -> Iterable[str]:
    if manifest.ref.kind == "List" or (manifest.ref.kind.endswith("List") and "items" in manifest.body):
        yield "a list of objects; write its items as documents of their own"

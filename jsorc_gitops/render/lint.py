"""What is wrong with the objects of a tree before anything is written; all findings at once, in a fixed order.

docs/lint.md is the reference of the rules.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from jsorc_gitops.model.fields import Path, format_path
from jsorc_gitops.model.objects import LISTED, Manifest, ObjectRef, is_list
from jsorc_gitops.model.settings import DNS_LABEL
from jsorc_gitops.render.findings import Finding, Rule
from jsorc_gitops.render.kinds import CustomKinds, Schemas
from jsorc_gitops.render.pods import check_pods, list_at, mapping_at
from jsorc_gitops.render.relations import Relations
from jsorc_gitops.render.schemas import Mistake
from jsorc_gitops.render.secrets import check_secret, strip_encryption
from jsorc_gitops.render.sizes import check_size

# A kind and a group become part of a file name, so nothing in them may lead elsewhere.
_KIND = re.compile(r"[A-Z][A-Za-z0-9]*\Z")
_GROUP = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?\Z")
# The longest rule Kubernetes has for names of objects: RBAC names may hold colons and capitals.
# "." and ".." would, in the path of a request, name another object.
_NAME = re.compile(r"(?!\.{1,2}\Z)[^/%\s]{1,253}\Z")
# What jsorc keeps in the cluster: records, settings, state, ledger, lease.
_OWN_PREFIX = "jsorc."
_OWN_KINDS = ("ConfigMap", "Lease")

_SET_BY_SERVER = frozenset(
    {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)


def check_tree(
    services: Mapping[str, Sequence[Manifest]],
    schemas: Schemas,
    plain_secrets: Collection[str],
    *,
    flux: bool = False,
) -> list[Finding]:
    """All findings of one tree, by service, object and path; objects lie in their namespaces already.

    `plain_secrets` names the services whose Secrets may lie in git as they are; `flux` says that Flux applies
    the tree, which decrypts what SOPS has encrypted.
    """
    everything = [each for manifests in services.values() for each in manifests]
    custom, relations = CustomKinds(schemas, everything), Relations(everything)
    owners: dict[ObjectRef, tuple[str, Manifest]] = {}
    findings: list[Finding] = []
    for service, manifests in services.items():
        for each in manifests:
            mistakes = [
                *_check_identity(each.ref),
                *_check_owner(each, service, owners),
                *_check_fields(each, schemas, custom),
                *_check_subjects(each),
                *check_secret(each, allowed=service in plain_secrets, flux=flux),
                *check_pods(each),
                *relations.check_relations(each),
            ]
            findings += _make_findings(each, mistakes)
    return findings


def check_trees(trees: Mapping[str, Sequence[Manifest]], *, clusters: Mapping[str, str]) -> list[Finding]:
    """What two trees that may be applied to one cluster both hold, where each would overwrite the other's.

    `clusters` has the cluster that each tree is pinned to, "" for any. There is one finding for each service and
    pair of trees. Namespaces that jsorc made itself lie in every tree that needs them.
    """
    findings: list[Finding] = []
    for one, other in combinations(trees, 2):
        if clusters[one] and clusters[other] and clusters[one] != clusters[other]:
            continue
        taken = {each.ref for each in trees[one]}
        shared: dict[str, list[Manifest]] = defaultdict(list)
        for each in trees[other]:
            if each.ref in taken and (each.service or each.ref.kind != "Namespace"):
                shared[each.service].append(each)
        for first, *rest in shared.values():
            more = f", and {len(rest)} more of this service" if rest else ""
            message = (
                f"the trees {one} and {other} both hold it{more}, and may be applied to one cluster; name them "
                f"apart by values.{one}.yaml and values.{other}.yaml, or pin the environments to their clusters"
            )
            findings += _make_findings(first, [Mistake(rule=Rule.SHARED_IDENTITY, path=(), message=message)])
    return findings


def _make_findings(manifest: Manifest, mistakes: Iterable[Mistake]) -> list[Finding]:
    return [
        Finding(
            where=manifest.where,
            ref=manifest.ref,
            path=format_path(each.path),
            message=each.message,
            rule=each.rule,
        )
        for each in sorted(mistakes, key=_sort_key)
    ]


def _sort_key(mistake: Mistake) -> tuple[list[tuple[int, str]], str]:
    """Fields by name, items by number."""
    steps = [(step, "") if isinstance(step, int) else (-1, step) for step in mistake.path]
    return steps, mistake.message


def _check_identity(ref: ObjectRef) -> Iterator[Mistake]:
    def wrong(*path: str, message: str) -> Mistake:
        return Mistake(rule=Rule.IDENTITY, path=path, message=message)

    if not _KIND.match(ref.kind):
        yield wrong("kind", message=f"{ref.kind!r} is no word with a capital letter; a file is named by it")
    if not _GROUP.match(ref.group):
        yield wrong("apiVersion", message=f"the API group {ref.group!r} is no DNS name")
    if not _NAME.match(ref.name):
        yield wrong("metadata", "name", message=f"{ref.name!r} is no name Kubernetes takes")
    if ref.namespace and not DNS_LABEL.match(ref.namespace):
        yield wrong("metadata", "namespace", message=f"{ref.namespace!r} is no name of a namespace")
    if ref.kind in _OWN_KINDS and ref.name.startswith(_OWN_PREFIX):
        yield wrong("metadata", "name", message=f"names that begin with {_OWN_PREFIX} are jsorc's own")


def _check_owner(
    manifest: Manifest, service: str, owners: dict[ObjectRef, tuple[str, Manifest]]
) -> Iterator[Mistake]:
    """Remember whose the object is; say so where it is somebody's already."""
    owner, first = owners.setdefault(manifest.ref, (service, manifest))
    if first is not manifest:
        also = "this service" if owner == service else f"service {owner}"
        message = f"{also} defines the same object ({first.where}); an identity is used once"
        yield Mistake(rule=Rule.DUPLICATE, path=(), message=message)


def _check_fields(manifest: Manifest, schemas: Schemas, custom: CustomKinds) -> Iterator[Mistake]:
    ref, body = manifest.ref, manifest.body
    if unfit := [*_check_list(manifest), *check_size(manifest)]:
        yield from unfit
        return
    foreign: list[Path] = [("metadata", key) for key in body["metadata"].keys() & _SET_BY_SERVER]
    foreign += [("status",)] * ("status" in body)
    for path in foreign:
        message = "is set by the cluster, not by git; remove it (jsorc import leaves such fields out)"
        yield Mistake(rule=Rule.SET_BY_SERVER, path=path, message=message)
    decrypted = strip_encryption(manifest)
    mistakes = schemas.check_own(decrypted) if schemas.is_own(ref.group) else custom.check_custom(decrypted)
    for each in mistakes:
        if not any(each.path[: len(path)] == path for path in foreign):
            yield each


def _check_list(manifest: Manifest) -> Iterator[Mistake]:
    if is_list(manifest.body):
        yield Mistake(rule=Rule.LIST, path=(), message=LISTED)


def _check_subjects(manifest: Manifest) -> Iterator[Mistake]:
    """In a RoleBinding a ServiceAccount without a namespace lies in the binding's own."""
    if manifest.ref.kind != "ClusterRoleBinding":
        return
    for index, subject in enumerate(list_at(manifest.body, "subjects")):
        if mapping_at(subject).get("kind") == "ServiceAccount" and not mapping_at(subject).get("namespace"):
            message = "is missing; a ServiceAccount lies in a namespace, a ClusterRoleBinding in none"
            path = ("subjects", index, "namespace")
            yield Mistake(rule=Rule.SUBJECT_NAMESPACE, path=path, message=message)

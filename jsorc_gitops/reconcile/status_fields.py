"""Who else owns fields of our objects: those that git sets, and those that it does not know of."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsorc_gitops.model.masks import encode_strings
from jsorc_gitops.model.objects import Body, Manifest
from jsorc_gitops.model.policy import ApplyPolicy
from jsorc_gitops.reconcile.ownership import (
    FIELD_MANAGER,
    Keys,
    Owner,
    Verdict,
    find_own_fields,
    find_value,
    format_keys,
    judge_owner,
)

# What runs Kubernetes writes into objects what it needs there: revisions, volumes that are bound, finalizers.
_SYSTEM = re.compile(r"kube-(controller-manager|scheduler|apiserver)\Z|cloud-controller-manager\Z|kubelet\Z")
_NOBODY = Owner(manager="", operation="", subresource="", time="")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldField:
    """A field that others have; its value is not kept, so that none of a Secret's ever is.

    `path` is spelled as by the API server (.spec.replicas); `manager` is "" where nobody says whose it is.
    `verdict` is what a pass does about one that git sets; None for one that git does not.
    """

    path: str
    manager: str
    subresource: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFields:
    """Of one object: what git sets and others have, and what others have besides; each in order of its path."""

    contested: tuple[HeldField, ...] = ()
    extra: tuple[HeldField, ...] = ()


NOTHING = HeldFields()


def find_held(manifest: Manifest, live: Body, policy: ApplyPolicy, *, yielded: Collection[Keys]) -> HeldFields:
    """What others own of an object as it is now, by its managedFields.

    `yielded` are the fields that earlier passes have given up. Status is left out, and what Kubernetes itself
    adds; of what was added whole to a list of git's the item alone is named.
    """
    entries = [each for each in live["metadata"].get("managedFields") or () if _is_told(each)]
    if not entries and not yielded:
        return NOTHING
    body, ours = encode_strings(manifest.body), {*find_own_fields(live).values()}
    contested: dict[Keys, Owner] = dict.fromkeys(yielded, _NOBODY)
    extra: dict[Keys, Owner] = {}
    for entry in sorted(entries, key=lambda each: each.get("time") or ""):
        owner = Owner(
            manager=entry["manager"],
            operation=entry["operation"],
            subresource=entry.get("subresource", ""),
            time=entry.get("time", ""),
        )
        for keys in _walk(entry["fieldsV1"], (), body):
            if keys in ours:
                continue
            if find_value(body, keys) is not None:
                contested[keys] = owner
            elif not _SYSTEM.match(owner.manager) or owner.subresource == "scale":
                extra[keys] = owner
    return HeldFields(
        contested=tuple(
            _make(keys, owner, Verdict.YIELD if keys in yielded else _judge(keys, owner, policy))
            for keys, owner in sorted(contested.items())
        ),
        extra=tuple(_make(keys, owner, None) for keys, owner in sorted(extra.items())),
    )


def _is_told(entry: Mapping[str, Any]) -> bool:
    """Whether it is of somebody else, and about more than the status."""
    return bool(
        entry.get("fieldsV1") and entry["manager"] != FIELD_MANAGER and entry.get("subresource") != "status"
    )


def _walk(fields: Mapping[str, Any], keys: Keys, body: Body) -> Iterator[Keys]:
    """The smallest fields of a set, and the items of lists that are not in the body."""
    for key, below in fields.items():
        if key == "." or (not keys and key == "f:status"):
            continue
        inner = (*keys, key)
        whole = key[:2] != "f:" and find_value(body, inner) is None
        if whole or not below.keys() - {"."}:
            yield inner
        else:
            yield from _walk(below, inner, body)


def _judge(keys: Keys, owner: Owner, policy: ApplyPolicy) -> Verdict:
    return judge_owner(owner, adopting=False, said=policy.find_verdict(format_keys(keys)))


def _make(keys: Keys, owner: Owner, verdict: Verdict | None) -> HeldField:
    return HeldField(
        path=format_keys(keys), manager=owner.manager, subresource=owner.subresource, verdict=verdict
    )

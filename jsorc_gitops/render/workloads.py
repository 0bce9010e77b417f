"""What the API server refuses to change on workloads: StatefulSet, Job, Pod, and the strategies of rollouts."""

from collections.abc import Iterator
from typing import Any

from jsorc_gitops.model.objects import Body
from jsorc_gitops.render.danger import IMMUTABLE, LEFTOVER, Finding
from jsorc_gitops.render.normal import compare, compare_specs, get, get_items, get_mapping

_ORPHAN = (
    "the server refuses to change it; delete the StatefulSet with --cascade=orphan first: it is then made anew "
    "and takes its pods and claims over"
)
_STATEFUL_SET_FREE = (
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
)
_POD_DEFAULTS = {
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
    "restartPolicy": "Always",
    "serviceAccount": "default",
    "serviceAccountName": "default",
}


def check_deployment(before: Body, after: Body) -> Iterator[Finding]:
    yield from _check_strategy(before, after, "strategy", "Recreate")


def check_stateful_set(before: Body, after: Body) -> Iterator[Finding]:
    yield from compare_specs(
        get_mapping(before, "spec"),
        get_mapping(after, "spec"),
        free=_STATEFUL_SET_FREE,
        defaults={"podManagementPolicy": "OrderedReady"},
        message=_ORPHAN,
    )
    yield from _check_strategy(before, after, "updateStrategy", "OnDelete")


def check_job(before: Body, after: Body) -> Iterator[Finding]:
    was, is_now = get_mapping(before, "spec"), get_mapping(after, "spec")
    count = is_now.get("completions")
    if is_now.get("completionMode") != "Indexed" or count != is_now.get("parallelism"):
        yield from compare("spec.completions", *_find_completions(was, is_now))
    templates = [get_mapping(side, "template") for side in (was, is_now)]
    if was.get("suspend") is True:
        templates = [_without_scheduling(side) for side in templates]
    yield from compare("spec.template", *templates)


def check_pod(before: Body, after: Body) -> Iterator[Finding]:
    was, is_now = get_mapping(before, "spec"), get_mapping(after, "spec")
    free = ["activeDeadlineSeconds", "schedulingGates", "nodeSelector", "affinity"]
    gated = bool(was.get("schedulingGates"))
    yield from compare_specs(
        was, _with_images(is_now, was), free=free if gated else free[:1], defaults=_POD_DEFAULTS
    )
    deadline, later = was.get("activeDeadlineSeconds"), is_now.get("activeDeadlineSeconds")
    if isinstance(deadline, int) and (not isinstance(later, int) or later > deadline):
        yield Finding(IMMUTABLE, "spec.activeDeadlineSeconds", deadline, later)


def _find_completions(was: Body, is_now: Body) -> tuple[Any, Any]:
    """What the server has, and would have: it fills in 1 only where parallelism is not there, either."""
    before, after = was.get("completions"), is_now.get("completions")
    parallel = was.get("parallelism") is not None
    if before is None and not parallel:
        return 1, 1 if after is None else after
    if after is None and parallel and is_now.get("parallelism") is None:
        after = 1
    return before, after


def _check_strategy(before: Body, after: Body, field: str, other: str) -> Iterator[Finding]:
    """The server fills rollingUpdate in; the other type may not have it, and an apply does not take it away."""
    path = f"spec.{field}.type"
    was, is_now = get(before, path), get(after, path)
    if was in (None, "RollingUpdate") and is_now == other and get(before, f"spec.{field}.rollingUpdate") is None:
        message = (
            f"the server refuses {other} beside the rollingUpdate that it filled in itself; write "
            f"spec.{field}.rollingUpdate out in one render, and change the type in the next"
        )
        yield Finding(LEFTOVER, path, was, other, message)


def _without_scheduling(template: Body) -> Body:
    """What of a pod template stays fixed while its Job is suspended."""
    spec = get_mapping(template, "spec")
    kept = {key: spec[key] for key in spec if key not in {"nodeSelector", "tolerations", "schedulingGates"}}
    kept["affinity"] = {**get_mapping(spec, "affinity"), "nodeAffinity": None}
    kept["containers"] = [{**each, "resources": None} for each in get_items(spec, "containers")]
    return {"spec": kept}


def _with_images(spec: Body, other: Body) -> dict[str, Any]:
    """A pod's spec with the images of another, since an image may change."""
    changed = dict(spec)
    for key in ("containers", "initContainers"):
        images = {str(each.get("name")): {"image": each.get("image")} for each in get_items(other, key)}
        changed[key] = [{**each, **images.get(str(each.get("name")), {})} for each in get_items(spec, key)]
    return changed

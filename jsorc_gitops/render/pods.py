"""Pods, and what makes them: which labels they carry, whether selectors match, what their images are called."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsorc_gitops.model.fields import Path
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.render.findings import Rule
from jsorc_gitops.render.schemas import Mistake

Labels = Mapping[str, Any]

# Where the kinds that are pods or make some keep what a pod is made of.
_TEMPLATES: Mapping[tuple[str, str], Path] = {
    ("", "Pod"): (),
    ("", "PodTemplate"): ("template",),
    ("", "ReplicationController"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("batch", "Job"): ("spec", "template"),
}


def check_pods(manifest: Manifest) -> Iterator[Mistake]:
    """Selectors that do not match their own pods, and images that are another program tomorrow."""
    path = _TEMPLATES.get(manifest.ref.group_kind)
    template = {} if path is None else mapping_at(manifest.body, *path)
    if path is None or not template:
        return
    yield from _check_selector(manifest, path, mapping_at(template, "metadata", "labels"))
    for containers in ("initContainers", "containers"):
        for index, container in enumerate(list_at(mapping_at(template, "spec"), containers)):
            image = mapping_at(container).get("image") or ""
            if isinstance(image, str):
                yield from _check_image(image, (*path, "spec", containers, index, "image"))


def find_pod_labels(manifest: Manifest) -> Labels | None:
    """The labels of the pods that an object is or makes; None where it makes none."""
    path = _TEMPLATES.get(manifest.ref.group_kind)
    return None if path is None else mapping_at(manifest.body, *path, "metadata", "labels")


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Whether a LabelSelector matches; an empty one matches everything."""
    return mapping_at(selector, "matchLabels").items() <= labels.items() and all(
        _meets(each, labels) for each in list_at(selector, "matchExpressions") if isinstance(each, dict)
    )


def mapping_at(value: Any, *path: str | int) -> Mapping[str, Any]:
    """The mapping below `path`, an empty one where there is none."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def list_at(value: Mapping[str, Any], key: str) -> list[Any]:
    """The list under a key, an empty one where there is none."""
    found = value.get(key)
    return found if isinstance(found, list) else []


def _check_selector(manifest: Manifest, path: Path, labels: Labels) -> Iterator[Mistake]:
    selector = mapping_at(manifest.body, "spec").get("selector")
    if not path or not isinstance(selector, dict):
        return
    if manifest.ref.kind == "ReplicationController":
        selector = {"matchLabels": selector}
    if manifest.ref.group == "apps" and not any(selector.values()):
        message = "is empty; it must match the labels of the pod template"
        yield Mistake(rule=Rule.SELECTOR, path=("spec", "selector"), message=message)
    elif not matches(selector, labels):
        message = "do not match spec.selector, so the pods would not be its own; make both the same"
        yield Mistake(rule=Rule.SELECTOR, path=(*path, "metadata", "labels"), message=message)


def _meets(requirement: Mapping[str, Any], labels: Labels) -> bool:
    key, values = str(requirement.get("key")), list_at(requirement, "values")
    match requirement.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return True  # no operator that there is: the server says so


def _check_image(image: str, path: Path) -> Iterator[Mistake]:
    _, colon, tag = image.rpartition("/")[2].partition(":")
    if not image:
        yield Mistake(rule=Rule.MISSING_FIELD, path=path, message="is missing")
    elif "@" not in image and not colon:
        message = f"{image} names no version; add a tag or a digest"
        yield Mistake(rule=Rule.IMAGE_TAG, path=path, message=message)
    elif "@" not in image and tag == "latest":
        message = f"{image} may be another program tomorrow; name a version"
        yield Mistake(rule=Rule.IMAGE_TAG, path=path, message=message)

"""What a syncing tool is told of the services that are not kept alive."""

from typing import Any

import pytest

from jsorc_gitops.model.settings import Applier, Settings
from tests.render.builders import make_object, make_redis, make_service, render_bodies

RBAC = "rbac.authorization.k8s.io/v1"
OBJECTS = {
    "a.yaml": make_object("Secretary", version="example.com/v1")
    + "---\n"
    + make_object("ClusterRole", version=RBAC, more="rules: []\n")
    + "---\n"
    + make_object("PriorityClass", version="scheduling.k8s.io/v1", more="value: 1\n")
    + "---\n"
    + make_object("PersistentVolumeClaim", more="spec: {}\n")
}
LEFT_ALONE = {
    "flux": ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
    "argocd": ("argocd.argoproj.io/hook", "Skip"),
}


def render(applier: Applier) -> dict[str, Any]:
    """The annotations of redis, which is kept alive, and of other, which is not."""
    settings = Settings(keep_alive=("redis",), applier=applier)
    bodies = render_bodies(make_redis(), make_service(OBJECTS, name="other"), settings=settings)
    return {name: body["metadata"].get("annotations", {}) for name, body in bodies.items()}


def list_left_alone(applier: Applier) -> set[str]:
    key, value = LEFT_ALONE[applier]
    return {name for name, annotations in render(applier).items() if annotations.get(key) == value}


def test_flux_is_told_what_is_not_kept_alive() -> None:
    """Objects of such a service are disabled, but for its record and what Flux would wait for in vain."""
    assert list_left_alone("flux") == {"Secretary/default/x", "PersistentVolumeClaim/default/x"}


def test_argocd_is_told_what_is_not_kept_alive() -> None:
    """All objects of such a service are skipped, but for its record."""
    assert list_left_alone("argocd") == {
        "Secretary/default/x",
        "PersistentVolumeClaim/default/x",
        "ClusterRole/x",
        "PriorityClass/x",
    }


@pytest.mark.parametrize("applier", ["flux", "argocd"])
def test_other_annotations_stay(applier: Applier) -> None:
    """What is left alone keeps what protects its data."""
    annotations = render(applier)["PersistentVolumeClaim/default/x"]

    assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


def test_jsorc_needs_no_telling() -> None:
    """Where jsorc applies the tree, the record says all: no object has another annotation."""
    annotations = render("jsorc")

    assert not {key for each in annotations.values() for key, _ in LEFT_ALONE.values() if key in each}

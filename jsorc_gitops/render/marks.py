"""What objects of a tree carry besides what their service says: labels, and words to the tools that sync them."""

from collections.abc import Mapping
from dataclasses import replace

from jsorc_gitops.model.objects import KEEP_ANNOTATIONS, Manifest, ObjectRef

# Left as it is in the cluster: not made, not changed, not pruned while git has it.
# https://fluxcd.io/flux/components/kustomize/kustomizations/#suspending-and-resuming
# https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
_LEFT_ALONE = {
    "flux": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
    "argocd": {"argocd.argoproj.io/hook": "Skip"},
}


def mark(manifest: Manifest, labels: Mapping[str, str]) -> Manifest:
    """Add our labels to the object itself, never to selectors or pod templates: those are immutable."""
    metadata = dict(manifest.body["metadata"])
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    marked = replace(manifest, body={**manifest.body, "metadata": metadata})
    return _annotate(marked, KEEP_ANNOTATIONS) if manifest.ref.is_kept else marked


def leave_alone(manifest: Manifest, applier: str) -> Manifest:
    """The object of a service that is not kept alive: whoever applies the tree leaves it as it is.

    Flux waits until definitions, classes and ClusterRoles are there before it goes on, left alone or not; so
    these, which run nothing, are applied.
    """
    if applier == "flux" and _is_waited_for(manifest.ref):
        return manifest
    return _annotate(manifest, _LEFT_ALONE.get(applier, {}))


def _is_waited_for(ref: ObjectRef) -> bool:
    return ref.kind in {"Namespace", "CustomResourceDefinition", "ClusterRole"} or ref.kind.endswith("Class")


def _annotate(manifest: Manifest, annotations: Mapping[str, str]) -> Manifest:
    if not annotations:
        return manifest
    metadata = dict(manifest.body["metadata"])
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    return replace(manifest, body={**manifest.body, "metadata": metadata})

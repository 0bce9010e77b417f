"""Why an image cannot be pulled, and whether that may come right by itself.

The kubelet's reasons: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go; the texts
are those of containerd, CRI-O and the registries.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.evidence import PATIENCE, Cause, Evidence
from jsorc_gitops.reconcile.kube_events import find_event

IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "RegistryUnavailable",
        "ImageInspectError",
        "InvalidImageName",
        "ErrImageNeverPull",
        "SignatureValidationFailed",
    }
)
# What a network, a registry or an API server says that is down, slow or busy: it may be up again in a minute.
_FOR_A_WHILE = re.compile(
    r"time[d -]?out|deadline ?exceeded|connection (refused|reset)|no such host|no route to host|unreachable|"
    r"temporary failure|server misbehaving|tls handshake|unexpected EOF|: EOF|too ?many ?requests|"
    r"internal server error|service unavailable|bad gateway|QPS exceeded|RegistryUnavailable|"
    r"failed calling webhook|no endpoints available|no space left",
    re.IGNORECASE,
)
_BACKING_OFF = re.compile(r'^Back-off pulling image "[^"]*"(: (ErrImagePull: )?)?')


def is_for_a_while(text: str) -> bool:
    """Whether an error is one that comes right without anybody's doing."""
    # What is quoted, or a path, is a name that somebody gave: of an image, a pod, a server.
    return _FOR_A_WHILE.search(re.sub(r'"[^"]*"|\S*[^\s/]{2,}/\S*', " ", text)) is not None


def find_image_cause(
    pod: Body, container: Mapping[str, Any], since: datetime | None, evidence: Evidence
) -> Cause | None:
    """Why the image of a container cannot be pulled; None where that is not what it waits for.

    An answer of the registry (no such image, no right to it) is final, no answer is not. Where nothing but the
    back-off is known, and no Event tells more, it counts as final.
    """
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason")
    if reason not in IMAGE_REASONS:
        return None
    begin = f"container {container['name']}: image {container.get('image', '')}"
    if reason == "InvalidImageName":
        return Cause(f"{begin} is no valid name", since, PATIENCE)
    if reason == "ErrImageNeverPull":
        return Cause(f"{begin} is not on the node, and its imagePullPolicy is Never", since, PATIENCE)
    told = _BACKING_OFF.sub("", str(waiting.get("message") or ""))
    if not told and (event := find_event(pod, evidence, {"Failed"}, says="Failed to pull image")):
        told = str(event.get("message"))
    why = evidence.quote(told.rpartition("desc = ")[2])
    text = f"{begin} cannot be pulled: {why or reason}"
    if reason == "RegistryUnavailable" or is_for_a_while(told):
        return Cause(text)
    return Cause(text, since, PATIENCE)

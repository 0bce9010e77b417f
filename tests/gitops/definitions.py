"""CustomResourceDefinitions, until their kinds can be used."""

from pathlib import Path

from tests.controlplane.server import ControlPlane, KubectlError
from tests.waiting import wait_until


def apply_definitions(plane: ControlPlane, *files: str | Path) -> None:
    """Apply these files, named as `kubectl apply` takes them; returns once they are established."""
    plane.kubectl("apply", "--server-side", *files)
    await_established(plane)


def await_established(plane: ControlPlane) -> None:
    """Return once every definition of the cluster is established."""
    wait = ("wait", "--for=condition=Established", "--timeout=30s", "customresourcedefinitions", "--all")

    def established() -> bool:
        try:
            return bool(plane.kubectl(*wait))
        except KubectlError:
            # It gives up on one that is so new that it has no conditions.
            return False

    wait_until(established, what="all CustomResourceDefinitions are established")

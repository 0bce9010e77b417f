"""Builds Flux's applier and Argo CD from pinned Go modules, each once per user and set of versions."""

import shutil
from pathlib import Path

from tests import gobuild
from tests.gobuild import Program, Recipe
from tests.machine import require_debian_packages

MODULES = Path(__file__).with_name("go")

KUSTOMIZE_CONTROLLER = Program(
    name="kustomize-controller",
    module="kustomize-controller",
    package="github.com/fluxcd/kustomize-controller",
    seconds=140,
)
# Of this part of Flux only the CRDs are used: its newest versions for Go 1.26 are not served whole.
SOURCE_CONTROLLER = "github.com/fluxcd/source-controller@v1.9.6"
ARGOCD = Program(name="argocd", module="argocd", package="github.com/argoproj/argo-cd/v3/cmd", seconds=250)
KUSTOMIZE = Program(
    name="kustomize", module="kustomize", package="sigs.k8s.io/kustomize/kustomize/v5", seconds=11
)


def ensure_flux() -> Path:
    """The folder with kustomize-controller, and its CRDs in crds/source and crds/kustomize. Raises SetupError."""
    version = gobuild.read_version(MODULES, KUSTOMIZE_CONTROLLER)
    return gobuild.ensure_built(
        Recipe(
            name=f"flux-{version}",
            purpose="Flux's kustomize-controller",
            modules=MODULES,
            programs=(KUSTOMIZE_CONTROLLER,),
            data={
                "crds/source": (SOURCE_CONTROLLER, "config/crd/bases"),
                "crds/kustomize": (f"{KUSTOMIZE_CONTROLLER.package}@{version}", "config/crd/bases"),
            },
        )
    )


def ensure_argocd() -> Path:
    """The folder with argocd, kustomize, crds/ and Argo CD's own objects in config/. Raises SetupError."""
    require_debian_packages(
        {
            "redis-server": lambda: shutil.which("redis-server") is not None,
            # For the network of its own that it is started in.
            "iproute2": lambda: shutil.which("ip") is not None,
            "util-linux": lambda: shutil.which("unshare") is not None,
        }
    )
    version = gobuild.read_version(MODULES, ARGOCD)
    module = f"{ARGOCD.package.removesuffix('/cmd')}@{version}"
    return gobuild.ensure_built(
        Recipe(
            name=f"argocd-{version}",
            purpose="Argo CD",
            modules=MODULES,
            programs=(KUSTOMIZE, ARGOCD),
            data={
                "crds": (module, "manifests/crds"),
                "config": (module, "manifests/base/config"),
                # It is asked about every commit, even where no signature is wanted.
                "git-verify-wrapper.sh": (module, "hack/git-verify-wrapper.sh"),
            },
        )
    )

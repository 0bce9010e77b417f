"""What is applied: a jsorc repository with two commits, and the same files for the others."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from bench.check import CheckError, read_file
from bench.objects import NAMESPACE, Object, make_name, make_objects, make_values

OBJECTS_PER_SERVICE = 4
BASE, CHANGED = "base", "changed"  # tags of the commits, and the folders of the files


def count_services(size: int) -> int:
    """How many services make `size` objects; raise ValueError where they do not come out even."""
    services, rest = divmod(size, OBJECTS_PER_SERVICE)
    if rest or services < 1:
        raise ValueError(f"a size is a multiple of {OBJECTS_PER_SERVICE}, not {size}")
    return services


def make_service(index: int) -> list[Object]:
    """A Deployment without pods, a Service, a ConfigMap, a ServiceAccount."""
    name = make_name(index)
    deployment, network, config = make_objects(name, {**make_values(index), "replicas": 0})[:3]
    metadata = {"name": name, "namespace": NAMESPACE}
    return [
        deployment,
        network,
        config,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
    ]


def write_repository(root: Path, files: Path, size: int, *, jsorc: Path, env: Mapping[str, str]) -> None:
    """A repository whose commits BASE and CHANGED are rendered, and, below `files`, what each has in rendered/.

    CHANGED has another text in one ConfigMap. The lists of files are left out of `files`, since kubectl -R takes
    them for objects.
    """

    def run(*command: str | Path) -> None:
        done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CheckError(f"{command[0]} failed with {done.returncode}: {done.stdout}{done.stderr}")

    root.mkdir(parents=True)
    (root / "jsorc.yaml").write_text(f"namespace: {NAMESPACE}\n")
    for index in range(count_services(size)):
        _write_service(root, index, make_service(index))
    run("git", "init", "--quiet")
    for tag in (BASE, CHANGED):
        if tag == CHANGED:
            objects = make_service(0)
            objects[2]["data"]["server.conf"] += "changed = yes\n"
            _write_service(root, 0, objects)
        run("git", "add", "--all")
        run("git", "commit", "--quiet", f"--message={tag}")
        run(jsorc, "render", "--commit")
        run("git", "tag", tag)
        shutil.copytree(root / "rendered", files / tag, ignore=shutil.ignore_patterns("kustomization.yaml"))


def read_objects(folder: Path) -> list[Object]:
    """All objects below one of the folders of files."""
    return [each for path in sorted(folder.rglob("*.yaml")) for each in read_file(path)]


def _write_service(root: Path, index: int, objects: list[Object]) -> None:
    folder = root / "templates" / make_name(index)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "objects.yaml").write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper))

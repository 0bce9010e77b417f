"""The commands of docs/from-jsorc.md do, in their order, what the page says they do."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.controlplane.server import ControlPlane
from tests.jaseci.packages import find_manifests, install_older
from tests.jaseci.server import Jaseci, Redis
from tests.machine import require_debian_packages
from tests.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs/from-jsorc.md"
NAMESPACE = "jaseci"
OLD_JASECI = "1.3.6.8"
MARK = "\x1e"  # stands behind each output, and in none
COMMIT = re.compile(r"\b[0-9a-f]{12}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command, and what it prints."""

    command: str
    output: str


def read_steps() -> list[Step]:
    """The commands in the console blocks of the page, with the lines below them."""
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [Step(command=line, output=output) for line, _, output in (part.partition("\n") for part in parts)]


def run_steps(steps: list[Step], *, folder: Path, env: Mapping[str, str]) -> list[tuple[int, str]]:
    """Type the commands into one shell; exit code and output of each."""
    script = "".join(f"{step.command}\nprintf '{MARK}%s{MARK}' $?\n" for step in steps)
    command = ["bash", "-o", "pipefail"]
    done = subprocess.run(
        command,
        input=script,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    pieces = done.stdout.split(MARK)
    return [(int(code), output) for output, code in zip(pieces[::2], pieces[1::2], strict=False)]


def make_pattern(output: str) -> str:
    """A pattern for what the page shows: commits have other names, a line that begins with … is any lines."""
    lines = output.splitlines(keepends=True)
    spelled = ["(?:.*\n)*" if line.startswith("…") else re.escape(COMMIT.sub("COMMIT", line)) for line in lines]
    return "".join(spelled) + r"\Z"


@pytest.fixture
def made_by_jsorc(controlplane: ControlPlane) -> Iterator[ControlPlane]:
    """A cluster in which JsOrc made redis and the database, in one namespace, and their pods became ready."""
    bodies = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}]
    for name in ("redis", "database"):
        own = yaml.safe_load_all((find_manifests() / f"{name}.yaml").read_text())
        bodies += [{**body, "metadata": {**body["metadata"], "namespace": NAMESPACE}} for body in own]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
    # What every Python client is called, JsOrc too.
    controlplane.kubectl("create", "--field-manager=OpenAPI-Generator", "-f", "-", stdin=listed)

    def count_pods() -> int:
        return len(controlplane.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name").split())

    wait_until(lambda: count_pods() == len(("redis", "database")), what="the pods of both")
    controlplane.mark_pods(NAMESPACE, "ready")
    controlplane.kubectl("rollout", "status", "deployment", "-n", NAMESPACE, "--timeout=60s")
    yield controlplane
    controlplane.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.mark.real
def test_page(tmp_path: Path, made_by_jsorc: ControlPlane, jaseci: Jaseci, redis: Redis) -> None:
    """Every command of the page does what it shows, and only those that show an error fail."""
    require_debian_packages({"curl": lambda: shutil.which("curl") is not None})
    redis.start()
    jaseci.refresh("redis")
    (tmp_path / f"jaseci-{OLD_JASECI}").symlink_to(install_older(OLD_JASECI).parents[1])
    programs = [str(Path(sys.executable).parent), str(made_by_jsorc.kubectl_path.parent)]
    env = {
        **os.environ,
        "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
        "KUBECONFIG": str(made_by_jsorc.kubeconfig),
        "JASECI": jaseci.url,
        "TOKEN": jaseci.token,
    }
    steps = read_steps()

    results = run_steps(steps, folder=tmp_path, env=env)

    for step, (code, output) in zip(steps, results, strict=True):
        shown = COMMIT.sub("COMMIT", output)
        assert re.match(make_pattern(step.output), shown), f"{step.command}\n{output}"
        assert bool(code) == step.output.startswith("jsorc: "), f"{step.command}\n{output}"

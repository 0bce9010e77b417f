"""What is reconciled: a jsorc repository of services that have no objects, all of them one service of Jaseci."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from bench.check import CheckError
from bench.objects import make_name
from bench.resets.server import SERVICE
from bench.tools import JSORC


def write_repository(
    root: Path, size: int, *, name: str, jaseci: str, env: Mapping[str, str], kubeconfig: Path
) -> None:
    """A repository that is rendered and applied; `jaseci` is that of jsorc.yaml, "" for none."""

    def run(*command: str | Path) -> None:
        done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CheckError(f"{command[0]} failed with {done.returncode}: {done.stdout}{done.stderr}")

    root.mkdir(parents=True)
    where = f"jaseci: {jaseci}\n" if jaseci else ""
    (root / "jsorc.yaml").write_text(f"namespace: {name}\n{where}")
    for index in range(size):
        folder = root / "templates" / make_name(index)
        folder.mkdir(parents=True)
        (folder / "service.yaml").write_text(f"reset: {{name: {SERVICE}}}\n")
    run("git", "init", "--quiet")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message=Begin")
    run(JSORC, "render", "--commit")
    run(JSORC, "reconcile", "--kubeconfig", kubeconfig)

"""`jsorc bootstrap` as a person runs it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.render.builders import make_object
from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree

SETTINGS = "environments: {dev: {applier: flux, namespace: dev}, prod: {applier: argocd, namespace: prod}}\n"
REPO = ("--repo", "https://git.example.com/fleet.git")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of a repository, two environments in it, rendered on the branch live."""
    work = Worktree(tmp_path, folder="deploy", options=["--initial-branch=live"])
    work.commit({"jsorc.yaml": SETTINGS, "templates/web/web.yaml": make_object()})
    assert start("render", "--commit", cwd=work.root).code == 0
    return work.root


def read(done: Outcome) -> list[dict[str, Any]]:
    assert (done.code, done.err) == (0, "")
    return list(yaml.safe_load_all(done.out))


def test_flux(root: Path) -> None:
    """It follows this branch, and this environment's folder from the top of the repository on."""
    repository, kustomization = read(start("bootstrap", "flux", "--env", "dev", *REPO, cwd=root))

    assert repository["metadata"] == {"name": "jsorc.dev.dev", "namespace": "flux-system"}
    assert repository["spec"] == {"interval": "1m", "ref": {"branch": "live"}, "url": REPO[1]}
    assert kustomization["spec"]["path"] == "./deploy/rendered/dev"
    assert kustomization["spec"]["sourceRef"] == {"kind": "GitRepository", "name": "jsorc.dev.dev"}


def test_its_options(root: Path) -> None:
    """Names, namespace, branch, interval and Secret are those that are given."""
    options = (
        *("--branch", "main", "--name", "shop", "--namespace", "tools"),
        *("--interval", "1h30m", "--secret-ref", "key", "--per-service"),
    )
    repository, *others = read(start("bootstrap", "flux", "--env", "dev", *REPO, *options, cwd=root))

    assert repository["spec"]["ref"] == {"branch": "main"}
    assert repository["spec"]["secretRef"] == {"name": "key"}
    assert [each["metadata"] for each in (repository, *others)] == [
        {"name": name, "namespace": "tools"} for name in ("shop", "shop", "shop.web")
    ]
    assert {each["spec"]["interval"] for each in (repository, *others)} == {"1h30m"}


def test_argocd(root: Path) -> None:
    """It says when it is to be printed again, and syncs into the environment's namespace."""
    done = start("bootstrap", "argocd", "--env", "prod", *REPO, cwd=root)
    project, application = read(done)

    assert done.out.startswith("# What HEAD needs. When a kind or a namespace comes or goes, print it again.\n")
    assert project["metadata"] == {"name": "jsorc.prod.prod", "namespace": "argocd"}
    assert application["spec"]["source"] == {
        "path": "deploy/rendered/prod",
        "repoURL": REPO[1],
        "targetRevision": "live",
    }
    assert application["spec"]["project"] == "jsorc.prod.prod"
    assert application["spec"]["destination"]["namespace"] == "prod"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("flux", "--repo", "ssh://git@git.example.com/fleet.git"), 2, "with --secret-ref"),
        (("flux", "--env", "prod", *REPO), 1, "write applier: flux below environments: prod: into jsorc.yaml"),
        (("flux", "--env", "dev", "--repo", "https://x:y@z/w"), 1, "credentials do not belong into a URL"),
        (("flux", *REPO), 1, "name one with --env"),
        (("argocd", "--env", "prod", "--interval", "1m", *REPO), 2, "--interval: only Flux has it"),
        (("flux", "--env", "dev", "--interval", "0", *REPO), 2, "no duration"),
        (("flux", "--env", "dev"), 2, "--repo"),
    ],
)
def test_refusals(root: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    """What cannot be meant is an error, and nothing is printed that could be applied."""
    done = start("bootstrap", *arguments, cwd=root)

    assert (done.code, done.out) == (code, "")
    assert message in done.err

"""Our hook as pre-commit installs and runs it: cloned, built, in an environment of its own."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.render.commands import start
from tests.render.worktree import Worktree

ROOT = Path(__file__).parents[2]
PACKAGE = ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml", "jsorc_gitops", "templates")
TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {a: '1'}\n"
CHANGED = TEMPLATE.replace("1'", "2'")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the package and its hook as they are here, as others name it in their config."""
    work = Worktree(tmp_path_factory.mktemp("published"))
    for name in PACKAGE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, work.path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, work.path)
    work.git("add", "--all")
    # Made once for all tests here, so outside of what each of them is sealed into.
    for key, value in {"user.name": "x", "user.email": "x@example.com", "commit.gpgSign": "false"}.items():
        work.git("config", key, value)
    work.git("commit", "--quiet", "--message", "x")
    work.git("tag", "--no-sign", "v0.1.0")
    return work.path


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps what it installed, so that it does so once."""
    return tmp_path_factory.mktemp("hooks")


@pytest.fixture(params=[".", "fleet"])
def work(
    tmp_path: Path,
    published: Path,
    hooks: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Worktree:
    """A rendered repository, or a folder of one, whose commits pre-commit looks at."""
    # The environment has jsorc alone; what that needs is found here, and not downloaded for each run.
    monkeypatch.setenv("PYTHONPATH", sysconfig.get_path("purelib"))
    monkeypatch.setenv("PRE_COMMIT_HOME", str(hooks))
    work = Worktree(tmp_path / "work", folder=request.param)
    work.write({"templates/app/app.yaml": TEMPLATE, "jsorc.yaml": ""})
    entry = "" if request.param == "." else f"    entry: jsorc -C {request.param} render --check --staged\n"
    config = f"repos:\n- repo: {published}\n  rev: v0.1.0\n  hooks:\n  - id: jsorc-render\n{entry}"
    (work.path / ".pre-commit-config.yaml").write_text(config)
    assert start("render", cwd=work.root).code == 0
    command = [sys.executable, "-m", "pre_commit", "install", "--install-hooks"]
    subprocess.run(command, cwd=work.path, check=True, capture_output=True)
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", "Begin")
    return work


def commit(work: Worktree, *options: str) -> str:
    """What is said of a commit; "" where it was made."""
    command = ["git", "-C", str(work.path), "commit", "--quiet", "--message", "x", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_what_is_staged_decides(work: Worktree) -> None:
    """A stale rendered/ is kept out and a true one passes, whatever lies beside it in the work tree."""
    work.write({"templates/app/app.yaml": CHANGED})
    work.git("add", "--all")
    assert start("render", cwd=work.root).code == 0

    refused = commit(work)

    assert "- hook id: jsorc-render\n- exit code: 6\n" in refused
    assert "~ ConfigMap/app: data.a" in refused
    assert work.list_commits() == ["Begin"]
    work.git("add", "--all")
    work.write({"templates/app/app.yaml": TEMPLATE, "templates/app/new.yaml": "a: ["})
    assert commit(work) == ""
    assert (work.root / "templates/app/app.yaml").read_text() == TEMPLATE
    assert work.list_commits() == ["x", "Begin"]


def test_a_commit_of_some_files(work: Worktree) -> None:
    """Commits of all files or of some, for which git makes an index of its own, are looked at by that one."""
    work.write({"templates/app/app.yaml": CHANGED})

    assert "- exit code: 6\n" in commit(work, "--all")
    assert start("render", cwd=work.root).code == 0
    assert "- exit code: 6\n" in commit(work, str(work.root / "templates"))
    assert commit(work, "--all") == ""


def test_mistakes_are_told(work: Worktree) -> None:
    """What cannot be rendered is kept out with its error, and so is a service removed without its rendering."""
    work.write({"templates/app/app.yaml": "a: ["})

    assert "templates/app/app.yaml:2: not valid YAML" in commit(work, "--all")
    work.git("rm", "--quiet", "-r", "--force", str(work.root / "templates"))
    assert "- exit code: 6\n" in commit(work)

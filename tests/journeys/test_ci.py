"""The recipes of docs/ci.md: their commands, in order, in clones of a repository on a git server."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from jsorc_gitops.render.comment import MARK
from tests.adapters.git_http import GitServer, serve
from tests.adapters.team import Team, make_config
from tests.render.commands import start
from tests.render.worktree import Worktree

PAGE = Path(__file__).parents[2] / "docs/ci.md"
# GitHub's and GitLab's own part, which is not here: these steps are looked at, not run.
ELSEWHERE = {"Install jsorc", "Comment"}
BROKEN = {"templates/redis/config.yaml": "a: ["}


def read_recipe(title: str) -> dict[str, Any]:
    """The YAML below a heading, every value a text: `on` is one, too."""
    section = PAGE.read_text().partition(f"\n## {title}\n")[2]
    [text] = re.findall(r"^```yaml\n(.*?)^```$", section.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    # A SafeLoader that makes texts of everything.
    recipe: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    return recipe


WORKFLOW = read_recipe("GitHub Actions")
PIPELINE = read_recipe("GitLab")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended: the step that failed, "" where none did, and what was printed."""

    failed: str
    output: str


def run_steps(steps: list[tuple[str, str]], folder: Path, **variables: str) -> Outcome:
    """Run commands one after the other, as a runner does: each in a bash of its own that ends at an error."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    output = ""
    for name, script in steps:
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=folder,
            env={**os.environ, "PATH": path, "CI": "true", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        output += done.stdout
        if done.returncode:
            return Outcome(failed=name, output=output)
    return Outcome(failed="", output=output)


def list_steps(job: str) -> list[tuple[str, str]]:
    return [
        (each["name"], each["run"])
        for each in WORKFLOW["jobs"][job]["steps"]
        if "run" in each and each["name"] not in ELSEWHERE
    ]


def list_scripts(job: str) -> list[tuple[str, str]]:
    return [(each, each) for each in PIPELINE[job]["script"]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "server").mkdir()
    with serve(tmp_path / "server") as server:
        yield server


@pytest.fixture
def team(server: GitServer, tmp_path: Path) -> Team:
    """A rendered repository on the server."""
    return Team(server, tmp_path)


def propose(team: Team, files: dict[str, str], *, rendered: bool) -> Worktree:
    """A pull request: the branch is pushed, and this is the clone in which a runner has it merged, detached."""
    author = team.clone("author")
    author.git("switch", "--quiet", "--create", "change")
    author.commit(files)
    if rendered:
        assert start("render", "--commit", cwd=author.root).code == 0
    author.git("push", "--quiet", "origin", "change")
    runner = team.clone("runner")
    runner.git("switch", "--quiet", "--detach", "origin/main")
    runner.git("merge", "--quiet", "--no-ff", "--message", "merge", "origin/change")
    return runner


def check(runner: Worktree) -> Outcome:
    return run_steps(list_steps("check"), runner.path, GITHUB_BASE_REF="main")


def test_a_pull_request(team: Team) -> None:
    """One that has its rendered/ passes, with the comment that says what it does."""
    runner = propose(team, make_config("redis", "1"), rendered=True)

    assert check(runner).failed == ""
    comment = (runner.path / "comment.md").read_text()
    assert comment.startswith(f"{MARK}\n")
    assert "ConfigMap/default/redis" in comment


def test_a_pull_request_without_its_rendered(team: Team) -> None:
    """It fails in the step that says why, and the comment is there by then."""
    runner = propose(team, make_config("redis", "1"), rendered=False)

    assert check(runner).failed == "rendered/ is what templates/ make"
    assert "ConfigMap/default/redis" in (runner.path / "comment.md").read_text()


def test_a_danger(team: Team) -> None:
    """What destroys something stands in the comment, and does not fail the check."""
    runner = propose(team, {"templates/redis/config.yaml": ""}, rendered=True)

    assert check(runner).failed == ""
    assert "1 removed; 1 dangerous, 1 not allowed" in (runner.path / "comment.md").read_text()


def test_a_pull_request_that_cannot_be_rendered(team: Team) -> None:
    """It fails at once, with the mistake."""
    outcome = check(propose(team, BROKEN, rendered=False))

    assert outcome.failed == "What it will do"
    assert "templates/redis/config.yaml:2: not valid YAML" in outcome.output


def test_main_is_rendered(team: Team) -> None:
    """What was merged without its rendered/ is rendered, committed by the bot and pushed; once."""
    author = team.clone("author")
    author.commit(make_config("redis", "1"), "merged")
    author.git("push", "--quiet", "origin", "main")
    for name in ("runner", "again"):
        outcome = run_steps(list_steps("render"), team.clone(name).path)
        assert outcome.failed == "", outcome.output

    subjects = team.git("log", "--format=%an: %s", "main").splitlines()
    assert subjects[:2] == ["github-actions[bot]: render: redis data.value", "Tester: merged"]


def test_the_comment_is_the_one_that_was_written() -> None:
    """The job that comments posts the file of the one that compares, and finds its own comment by its mark."""
    jobs = WORKFLOW["jobs"]
    [upload] = [each for each in jobs["check"]["steps"] if each.get("uses", "").startswith("actions/upload-")]
    [download, comment] = jobs["comment"]["steps"]

    assert f"> {upload['with']['path']} ||" in dict(list_steps("check"))["What it will do"]
    assert download["with"]["name"] == upload["with"]["name"]
    assert jobs["check"]["outputs"]["comment"] == f"${{{{ steps.{upload['id']}.outputs.artifact-id }}}}"
    assert comment["run"].count(f"--field body=@{upload['with']['path']}") == 2
    assert f'startswith("{MARK}")' in comment["run"]
    subprocess.run(["bash", "-n", "-c", comment["run"]], check=True)


def test_the_workflow_may_do_what_it_must() -> None:
    """Nothing by default, and no job both runs what a pull request says and may write."""
    jobs = WORKFLOW["jobs"]

    assert WORKFLOW["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "check": {"contents": "read"},
        "comment": {"pull-requests": "write"},
        "render": {"contents": "write"},
    }
    [checkout] = [each for each in jobs["check"]["steps"] if each.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["persist-credentials"] == "false"
    used = [each["uses"] for job in jobs.values() for each in job["steps"] if "uses" in each]
    assert [each for each in used if not re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", each)] == []


def test_gitlab_checks(team: Team) -> None:
    """The same check of a merge request, from the commit that its branch began at."""
    runner = propose(team, make_config("redis", "1"), rendered=True)
    base = runner.git("rev-parse", "origin/main")

    outcome = run_steps(list_scripts("check"), runner.path, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)

    assert outcome.failed == "", outcome.output
    assert "ConfigMap/default/redis" in (runner.path / "comment.md").read_text()


def test_gitlab_renders(team: Team) -> None:
    """From a detached HEAD, with a token of its own, which is not printed."""
    author = team.clone("author")
    author.commit(make_config("redis", "1"), "merged")
    author.git("push", "--quiet", "origin", "main")
    team.server.password = secrets.token_hex()
    runner = team.clone("runner")
    runner.git("switch", "--quiet", "--detach", "origin/main")
    protocol, host, port = team.url.rpartition("/")[0].replace("//", "").split(":")

    outcome = run_steps(
        list_scripts("render"),
        runner.path,
        CI_COMMIT_BRANCH="main",
        CI_SERVER_PROTOCOL=protocol,
        CI_SERVER_HOST=host,
        CI_SERVER_PORT=port,
        CI_PROJECT_PATH="team",
        JSORC_PUSH_TOKEN=team.server.password,
    )

    assert outcome.failed == "", outcome.output
    assert team.git("log", "-1", "--format=%an: %s", "main") == "jsorc: render: redis data.value"
    assert team.server.password not in outcome.output

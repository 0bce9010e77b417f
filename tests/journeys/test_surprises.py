"""What nobody would expect is refused or told: files that nobody reads, edits, conflicts, trees that go."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree, put
from tests.waiting import wait_until

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: '%s'}\n"
APP = {"templates/app/app.yaml": CONFIG % ("app", 1)}
RENDERED = "rendered/app/ConfigMap.yaml"


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """A repository with one service, rendered and committed."""
    work = Worktree(tmp_path / "repository")
    work.commit({"jsorc.yaml": "", **APP})
    assert jsorc(work, "--commit").code == 0
    return work


def jsorc(work: Worktree, *options: str) -> Outcome:
    return start("render", *options, cwd=work.root)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"templates/app/values.stagin.yaml": "a: 1\n"},
            "templates/app/values.stagin.yaml: jsorc.yaml has no environment 'stagin', so nobody would read it",
        ),
        (
            {"jsorc.yaml": "environments: {live: {}}\n", "templates/app/values.live.yaml": "values: {a: 1}\n"},
            "templates/app/values.live.yaml:1: values: values stand here at the top, without this key",
        ),
        (
            {"templates/net.yaml": CONFIG % ("net", 1)},
            "templates/net.yaml: belongs to no service; move it into templates/NAME/",
        ),
        ({"templates/net.yml": ""}, "templates/net.yml: belongs to no service; move it into templates/NAME/"),
    ],
)
def test_what_nobody_would_read_is_refused(work: Worktree, files: dict[str, str], message: str) -> None:
    """Values of no environment, values in values, files of no service: each is an error with its place."""
    put(work.root, files)

    assert jsorc(work) == Outcome(1, "", f"jsorc: {message}\n")


def test_templates_that_is_a_file_is_refused(work: Worktree) -> None:
    """A file in the place of templates/ does not mean that all services are gone."""
    work.git("rm", "--quiet", "-r", "templates")
    put(work.root, {"templates": ""})

    assert jsorc(work) == Outcome(1, "", "jsorc: templates is no folder\n")


def test_a_new_service_that_nobody_keeps_alive_is_told(work: Worktree) -> None:
    """A service that reconcile would not apply is told when it is rendered for the first time, and not again."""
    put(work.root, {"jsorc.yaml": "keep_alive: [app]\n", "templates/web/web.yaml": CONFIG % ("web", 1)})
    note = "note: web is not in keep_alive of jsorc.yaml, so jsorc reconcile would not apply it\n"

    assert jsorc(work).err == note
    assert jsorc(work, "--force").err == ""
    assert jsorc(work).err == ""


def test_an_environment_that_goes_is_told(tmp_path: Path) -> None:
    """What is taken out of jsorc.yaml is in the commit, by service; and that its cluster keeps it is told."""
    work = Worktree(tmp_path / "repository")
    environments = "environments: {live: {namespace: live}, test: {namespace: test}}\n"
    work.commit({"jsorc.yaml": environments, **APP})
    assert jsorc(work, "--commit").code == 0
    work.commit({"jsorc.yaml": "environments: {live: {namespace: live}}\n"})

    outcome = jsorc(work, "--commit")

    assert "test/app\n  - ConfigMap/app\n" in outcome.out
    assert outcome.err.startswith("note: test is rendered no more; what it runs in its cluster stays there")
    assert work.git("log", "-1", "--format=%s") == "render: test/settings; test/app removed"


def test_from_one_tree_to_environments(work: Worktree) -> None:
    """The one tree goes, the others come, and the commit says both."""
    work.commit({"jsorc.yaml": "environments: {live: {}}\n"})

    outcome = jsorc(work, "--commit")

    assert "app\n  - ConfigMap/app\n" in outcome.out
    assert "live/app\n  + ConfigMap/app\n" in outcome.out
    assert outcome.err.startswith("note: default is rendered no more")


def test_a_merge_conflict(work: Worktree) -> None:
    """Two branches that both rendered conflict in rendered/: render names that, and --force makes it whole."""
    work.git("switch", "--quiet", "--create", "other")
    work.commit({"templates/app/other.yaml": CONFIG % ("other", 1)})
    assert jsorc(work, "--commit").code == 0
    work.git("switch", "--quiet", "main")
    work.commit({"templates/app/app.yaml": CONFIG % ("app", 2)})
    assert jsorc(work, "--commit").code == 0
    merge = subprocess.run(
        ["git", "-C", work.path, "merge", "other"], capture_output=True, text=True, check=False
    )
    assert f"CONFLICT (content): Merge conflict in {RENDERED}" in merge.stdout

    refused = jsorc(work)
    assert refused.code == 1
    assert f"{RENDERED} has a merge conflict\n" in refused.err
    assert jsorc(work, "--force").code == 0
    work.git("add", "--all")
    work.git("commit", "--quiet", "--no-edit")

    assert jsorc(work, "--check") == Outcome(0, "rendered/ is up to date: 4 objects.\n", "")


def test_an_edit_by_hand(work: Worktree) -> None:
    """An edit, even of the first line, is named by --check, kept by render, and overwritten with --force."""
    path = work.root / RENDERED
    path.write_text("# my note\n" + path.read_text().replace("'1'", "'9'"))

    assert f"{RENDERED} was edited by hand: move the edit to templates/" in jsorc(work, "--check").out
    assert f"{RENDERED} was edited by hand\n" in jsorc(work).err
    assert jsorc(work, "--force").code == 0
    assert jsorc(work, "--check").code == 0


@pytest.mark.parametrize("name", [RENDERED, "templates/app/app.yaml", "jsorc.yaml"])
@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_what_git_does_not_look_at(work: Worktree, name: str, flag: str) -> None:
    """A file that git was told not to look at would be missing from a commit, so none is made."""
    work.commit({"templates/app/app.yaml": CONFIG % ("app", 2)})
    work.git("update-index", flag, name)

    outcome = jsorc(work, "--commit")

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"jsorc: git does not look at {name}; say git update-index ")


def test_allowing_what_is_not_there(work: Worktree) -> None:
    """An --allow that allows nothing is told, as a slip of the pen would be."""
    outcome = jsorc(work, "--check", "--against", "HEAD", "--allow", "remov")

    assert outcome.code == 0
    assert outcome.out.endswith("--allow remov allows nothing here\n")


def test_findings_of_all_environments_are_told_once(tmp_path: Path) -> None:
    """What is wrong in a template is told once, however many environments it is rendered for."""
    broken = CONFIG.replace("\ndata", "\ndatta") % ("app", 1)
    environments = "namespace: shop\nenvironments: {live: {cluster: a}, test: {cluster: b}}\n"
    put(tmp_path, {"jsorc.yaml": environments, "templates/app/app.yaml": broken})

    outcome = start("render", cwd=tmp_path)

    assert outcome.code == 1
    assert outcome.err.count("datta: unknown field") == 1


@pytest.mark.parametrize("files", [1, 40, 200, 390])
def test_killed_while_files_are_written(tmp_path: Path, files: int) -> None:
    """Killed with -9 while it writes a tree to a real disk, the next run makes it whole."""
    services = {f"templates/s{number}/s.yaml": CONFIG % (f"s{number}", 1) for number in range(400)}
    put(tmp_path, {"jsorc.yaml": "", **services})
    rendered = tmp_path / "rendered"
    process = subprocess.Popen([sys.executable, "-m", "jsorc_gitops", "render"], cwd=tmp_path)
    wait_until(lambda: process.poll() is not None or len([*rendered.glob("*")]) >= files, what="files")
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert start("render", cwd=tmp_path).code == 0

    assert start("render", "--check", "--output", "json", cwd=tmp_path).code == 0
    assert not [*rendered.rglob(".*")]
    assert len([*rendered.rglob("*.yaml")]) == 400 * 3 + 2

"""jsorc render --output json: one document in every mode, whatever happens, and nothing else on stdout."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {a: '1'}\n"
CHANGED = MAP.replace("1'", "2'")
PLAIN = "apiVersion: v1\nkind: Secret\nmetadata: {name: app}\nstringData: {a: hunter2}\n"
REF = {"group": "", "kind": "ConfigMap", "namespace": "default", "name": "app"}
FIELD = {"path": "data.a", "before": "1", "after": "2", "reordered": False}
NOTHING: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
FILE = {**NOTHING, "changed": ["rendered/app/ConfigMap.yaml"]}


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """A repository with one object, rendered, committed and pushed."""
    work = Worktree(tmp_path / "work")
    work.commit({"templates/app/app.yaml": MAP, "jsorc.yaml": ""})
    work.git("init", "--quiet", "--bare", str(tmp_path / "server"))
    work.git("remote", "add", "origin", str(tmp_path / "server"))
    assert start("render", "--commit", "--push", cwd=work.root).code == 0
    return work


def render(work: Worktree, *options: str, **environment: str) -> tuple[int, Any, str]:
    done: Outcome = start("render", "--output", "json", *options, cwd=work.root, **environment)
    return done.code, json.loads(done.out), done.err


def tell(document: Any) -> Any:
    """The outcome, the one tree's objects, the files."""
    [tree] = document["trees"]
    objects = [(each["action"], each["object"], each["fields"]) for each in tree["objects"]]
    return document["outcome"], objects, document["files"]


@pytest.mark.parametrize("options", [(), ("--check",), ("--check", "--staged"), ("--commit",), ("--diff",)])
def test_nothing_changed(work: Worktree, options: tuple[str, ...]) -> None:
    """Every mode says that it is as it should be; so does the shortcut that the second run takes."""
    environment = {"XDG_CACHE_HOME": str(work.root / ".git")}
    documents = [render(work, *options, **environment) for _ in range(2)]

    assert documents[0] == documents[1]
    code, document, err = documents[0]
    assert (code, err) == (0, "")
    assert tell(document) == ("unchanged", [], NOTHING)
    assert (document["trees"][0]["total"], document["commit"], document["push"]) == (3, None, None)


def test_the_shortcut_has_the_warnings(work: Worktree) -> None:
    """What the lint warned of when it rendered is there when it did not; as text on stderr, too."""
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec: {containers: [{name: app, image: app}]}\n"
    work.write({"templates/app/pod.yaml": pod, "rendered/notes.md": ""})
    environment = {"XDG_CACHE_HOME": str(work.root / ".git")}

    written, known = render(work, **environment), render(work, **environment)
    text = start("render", cwd=work.root, **environment)

    assert [each[1]["outcome"] for each in (written, known)] == ["written", "unchanged"]
    assert written[1]["warnings"] == known[1]["warnings"]
    assert [each["rule"] for each in known[1]["warnings"]] == ["image-tag", None]
    assert written[2] == known[2] == text.err
    assert known[1]["trees"][0]["total"] == 4


def test_a_change_on_its_way(work: Worktree) -> None:
    """--check, --staged, --against and plain tell the same objects, fields and files; then it is written."""
    work.commit({"templates/app/app.yaml": CHANGED})
    head = work.git("rev-parse", "HEAD")

    for options in (("--check",), ("--check", "--staged"), ("--check", "--diff"), ("--check", "--against", head)):
        code, document, err = render(work, *options)
        assert (code, err) == (6, "")
        assert tell(document) == ("different", [("changed", REF, [FIELD])], FILE)
        assert document["trees"][0]["against"] == (head if "--against" in options else None)
    code, document, err = render(work)
    assert (code, err, tell(document)) == (0, "", ("written", [("changed", REF, [FIELD])], FILE))


def test_a_commit_and_a_push(work: Worktree) -> None:
    """The commit is told with its branch, against the one before it; the push with where it went."""
    source = work.commit({"templates/app/app.yaml": CHANGED})

    code, document, err = render(work, "--commit", "--push")

    head = work.git("rev-parse", "HEAD")
    assert (code, err, tell(document)) == (0, "", ("committed", [("changed", REF, [FIELD])], FILE))
    assert document["trees"][0]["against"] == source
    assert document["commit"] == {"revision": head, "branch": "main"}
    assert document["push"] == {"outcome": "pushed", "place": "origin/main", "revision": head}
    code, document, err = render(work, "--commit", "--push")
    assert (code, document["outcome"], document["push"]["outcome"]) == (0, "unchanged", "up to date")


def test_a_branch(work: Worktree) -> None:
    """A branch that is not there yet is compared with nothing, then with its own commit."""
    first = render(work, "--branch", "env")[1]
    tip = work.git("rev-parse", "env")
    work.commit({"templates/app/app.yaml": CHANGED})
    second = render(work, "--branch", "env")[1]

    assert (first["outcome"], first["trees"][0]["against"]) == ("committed", None)
    assert first["trees"][0]["counts"] == {"added": 3, "changed": 0, "removed": 0}
    assert first["commit"] == {"revision": tip, "branch": "env"}
    assert tell(second) == ("committed", [("changed", REF, [FIELD])], FILE)
    assert second["trees"][0]["against"] == tip


def test_a_push_that_is_refused(work: Worktree, tmp_path: Path) -> None:
    """The commit that was made is told, and that the push was not taken."""
    hook = tmp_path / "server/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho closed on Sundays >&2\nexit 1\n")
    hook.chmod(0o755)
    work.commit({"templates/app/app.yaml": CHANGED})

    code, document, err = render(work, "--commit", "--push")

    assert (code, document["outcome"], document["push"]) == (1, "refused", None)
    assert document["commit"]["revision"] == work.git("rev-parse", "HEAD")
    assert "closed on Sundays" in document["errors"][0]["message"]
    assert err == f"jsorc: {document['errors'][0]['message']}\n"


@pytest.mark.parametrize("options", [(), ("--check",), ("--commit",), ("--check", "--against", "HEAD")])
def test_findings_are_refused(work: Worktree, options: tuple[str, ...]) -> None:
    """What the lint finds is there in parts, and as text on stderr."""
    work.commit({"templates/app/secret.yaml": PLAIN, "templates/app/other.yaml": f"---\n{MAP}"})

    code, document, err = render(work, *options)

    assert (code, document["outcome"], document["trees"]) == (1, "refused", [])
    assert [(each["rule"], each["where"]) for each in document["errors"]] == [
        ("duplicate", "templates/app/other.yaml:2"),
        ("plain-secret", "templates/app/secret.yaml:1"),
    ]
    assert document["errors"][0]["object"] == REF
    assert err.startswith("jsorc: templates/app/other.yaml:2: ConfigMap/default/app: this service defines")
    assert "hunter2" not in json.dumps(document)


@pytest.mark.parametrize(
    ("files", "options", "words"),
    [
        ({"jsorc.yaml": "x: 1"}, (), "jsorc.yaml:1: x: unknown key"),
        ({"templates/app/a.yaml.j2": "{{ x }}"}, ("--check",), "templates/app/a.yaml.j2:1: 'x' is undefined"),
        ({"templates/app/app.yaml": CHANGED}, ("--commit",), "templates/app/app.yaml is not committed"),
        ({}, ("--check", "--against", "nowhere"), "nowhere: no commit of this name"),
        ({}, ("--env", "nowhere"), "no environment 'nowhere'"),
    ],
)
def test_other_errors(work: Worktree, files: dict[str, str], options: tuple[str, ...], words: str) -> None:
    """Whatever else ends a run is one message, the one on stderr."""
    work.write(files)

    code, document, err = render(work, *options)

    assert (code, document["outcome"]) == (1, "refused")
    [error] = document["errors"]
    assert error["message"].startswith(words)
    assert (error["severity"], error["rule"], err) == ("error", None, f"jsorc: {error['message']}\n")


def test_a_danger(work: Worktree) -> None:
    """A danger that is not allowed is refused without an error; allowed, it is a difference."""
    work.git("rm", "--quiet", "templates/app/app.yaml")
    work.write({"templates/app/service.yaml": ""})
    options = ("--check", "--against", "HEAD")

    refused, allowed = render(work, *options), render(work, *options, "--allow", "remove")

    assert [(code, each["outcome"], each["allowed"]) for code, each, _ in (refused, allowed)] == [
        (1, "refused", False),
        (6, "different", True),
    ]
    assert refused[1]["errors"] == []
    assert refused[1]["trees"][0]["dangers"][0]["rule"] == "remove"


def test_environments(work: Worktree) -> None:
    """One entry for each tree, and for the one that made room for them."""
    work.write({"jsorc.yaml": "environments: {blue: {namespace: b}, red: {namespace: r}}\n"})

    document = render(work)[1]

    counts = {each["tree"]: each["counts"] | {"total": each["total"]} for each in document["trees"]}
    assert counts["blue"]["added"] == counts["blue"]["total"] == counts["red"]["total"] == 4
    assert counts["default"] == {"added": 0, "changed": 0, "removed": 3, "total": 0}
    assert {path.split("/")[1] for path in document["files"]["added"]} == {"blue", "red"}


def test_secrets_are_masked(work: Worktree) -> None:
    """A value of a Secret is a mask, the same one from run to run."""
    work.write({"templates/app/service.yaml": "plainSecrets: allow\n", "templates/app/secret.yaml": PLAIN})
    environment = {"XDG_CACHE_HOME": str(work.root / ".git")}

    documents = [render(work, "--check", **environment)[1] for _ in range(2)]

    assert documents[0] == documents[1]
    assert "hunter2" not in json.dumps(documents)
    assert "masked:" in json.dumps(documents)


def test_usage_has_no_document(work: Worktree) -> None:
    """A command line that means nothing is told on stderr alone."""
    done = start("render", "--output", "json", "--push", cwd=work.root)

    assert (done.code, done.out) == (2, "")


POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec: {containers: [{name: app, image: app}]}\n"
ODD = os.fsdecode(b"\xff")


@pytest.mark.parametrize(
    ("files", "options", "code", "told"),
    [
        ({f"rendered/{ODD}.yaml": ""}, ("--check",), 0, "rendered/\ufffd.yaml was not written by jsorc"),
        ({f"templates/{ODD}/a.yaml": MAP}, (), 1, "templates/\ufffd: a service's name is a DNS label"),
        ({f"templates/app/{ODD}.yaml": POD}, ("--commit",), 0, "templates/app/\ufffd.yaml:1"),
        ({}, ("--check", "--against", ODD), 1, "\ufffd: no commit of this name"),
    ],
)
def test_names_that_are_no_utf_8(
    work: Worktree, files: dict[str, str], options: tuple[str, ...], code: int, told: str
) -> None:
    """Bytes that are no characters are U+FFFD in the document, which is valid whatever a file is called."""
    work.commit(files)

    done = render(work, *options)

    assert done[0] == code
    [message] = done[1]["warnings"] + done[1]["errors"]
    assert told in f"{message['where']} {message['message']}"
    assert done[1]["outcome"] == ("refused" if code else "committed" if "--commit" in options else "unchanged")


def test_a_folder_whose_name_is_no_utf_8(tmp_path: Path) -> None:
    """With -C, too."""
    (tmp_path / ODD).mkdir()

    done = start("-C", ODD, "render", "--output", "json", cwd=tmp_path)

    [error] = json.loads(done.out)["errors"]
    assert (done.code, "/\ufffd/jsorc.yaml: not found" in error["message"]) == (1, True)

"""What a change would do to a cluster, told from git alone, before it is merged."""

import json
from pathlib import Path

import pytest

from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree

SERVICE = "values: {label: a, image: 'redis:6', storage: 8Gi}\nplainSecrets: allow\n"
TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: {{ values.label }}}}
  template:
    metadata: {labels: {app: {{ values.label }}}}
    spec: {containers: [{name: app, image: {{ values.image }}}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: app}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: {{ values.storage }}}}}
---
apiVersion: v1
kind: Secret
metadata: {name: app}
stringData: {password: hunter2-{{ values.image[-1:] }}}
"""
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """A repository whose main has two services rendered, and a branch to change them on."""
    work = Worktree(tmp_path)
    work.commit({"templates/app/service.yaml": SERVICE, "templates/app/app.yaml.j2": TEMPLATE, "jsorc.yaml": ""})
    work.commit({"templates/other/other.yaml": OTHER})
    assert start("render", "--commit", cwd=tmp_path).code == 0
    work.git("tag", "merged")
    return work


def compare(work: Worktree, *options: str) -> Outcome:
    return start("render", "--check", "--against", "merged", *options, cwd=work.root)


def change(work: Worktree, old: str, new: str) -> None:
    work.write({"templates/app/service.yaml": SERVICE.replace(old, new)})


def test_no_change(work: Worktree) -> None:
    """Where the definitions make what was merged, there is nothing to tell."""
    assert compare(work) == Outcome(0, "default against merged: no object changes\n", "")


def test_a_harmless_change(work: Worktree) -> None:
    """A change that every cluster takes is exit 6, a difference."""
    change(work, "redis:6", "redis:7")

    done = compare(work)

    assert (done.code, done.err) == (6, "")
    assert done.out.splitlines()[:2] == ["default against merged: 2 changed", "app"]
    assert sorted(done.out.splitlines()[2:]) == ["  ~ Deployment/app: image 6→7", "  ~ Secret/app: changed"]


@pytest.mark.parametrize(
    ("old", "new", "rule", "told"),
    [
        ("label: a", "label: b", "immutable", "Deployment/default/app: spec.selector.matchLabels.app: a → b: "),
        (
            "8Gi",
            "4Gi",
            "shrink",
            "PersistentVolumeClaim/default/app: spec.resources.requests.storage: 8Gi → 4Gi: ",
        ),
    ],
)
def test_a_danger(work: Worktree, old: str, new: str, rule: str, told: str) -> None:
    """What the server will refuse is named, and exit 1 until it is allowed by rule, object or service."""
    change(work, old, new)

    done = compare(work)

    assert done.code == 1
    assert f"\n  danger {rule}: {told}" in done.out
    for allowed in (rule, told.partition(":")[0], "app"):
        assert compare(work, "--allow", allowed).code == 6
    assert compare(work, "--allow", "other").code == 1


def test_a_removed_service(work: Worktree) -> None:
    """A service that would be deleted is a danger."""
    work.git("rm", "-r", "--quiet", "templates/other")

    done = compare(work)

    assert done.code == 1
    assert "danger remove: ConfigMap/default/jsorc.record.default.other: the service other is removed" in done.out


def test_outputs(work: Worktree) -> None:
    """JSON for programs and Markdown for pull requests say the same, and exit the same."""
    change(work, "label: a", "label: b")

    as_json, as_markdown = compare(work, "--output", "json"), compare(work, "--output", "markdown")

    assert (as_json.code, as_markdown.code) == (1, 1)
    document = json.loads(as_json.out)
    assert (document["allowed"], [each["rule"] for each in document["trees"][0]["dangers"]]) == (
        False,
        ["immutable"],
    )
    assert as_markdown.out.startswith("<!-- jsorc -->\n\n### jsorc: 1 changed; 1 dangerous, 1 not allowed\n")


def test_fields_with_masked_secrets(work: Worktree) -> None:
    """--diff tells every field with both values, a Secret's as masks, which stay the same from run to run."""
    change(work, "redis:6", "redis:7")
    environment = {"XDG_CACHE_HOME": str(work.root / ".cache")}
    first, again = (
        start("render", "--check", "--diff", *against, cwd=work.root, **environment)
        for against in (("--against", "merged"), ())
    )

    assert (first.code, again.code) == (6, 6)
    assert "hunter2" not in first.out + again.out
    assert "-     redis:6\n+     redis:7\n" in first.out
    masks = [[line for line in each.out.splitlines() if "masked:" in line] for each in (first, again)]
    assert len(set(masks[0])) == 2
    assert masks[0] == masks[1]


def test_an_environment_that_goes(work: Worktree) -> None:
    """A tree that the change does away with is compared, too: all of it would go."""
    work.write({"jsorc.yaml": "environments: {staging: {}}\n"})

    done = compare(work)

    assert done.code == 1
    assert [line for line in done.out.splitlines() if " against " in line] == [
        "default against merged: 7 removed",
        "staging against merged: 7 added",
    ]


@pytest.mark.parametrize("revision", ["gone", "--all", "HEAD^{tree}", ""])
def test_a_revision_that_is_none(work: Worktree, revision: str) -> None:
    """A name git does not know is an error that says so."""
    done = start("render", "--check", f"--against={revision}", cwd=work.root)

    message = f"jsorc: {revision}: no commit of this name; fetch it first, or check the name\n"
    assert done == Outcome(1, "", message)

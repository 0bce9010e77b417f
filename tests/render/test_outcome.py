"""What a run came to, as JSON: one shape for every mode, which docs/json.md promises."""

import json
import re
from pathlib import Path
from typing import Any

from jsorc_gitops.errors import RepositoryError
from jsorc_gitops.model.layout import TreeDiff, format_tree
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.tree import make_settings_manifest
from jsorc_gitops.render.delivery import Delivery, Ending
from jsorc_gitops.render.findings import Finding, FindingsError, Rule
from jsorc_gitops.render.outcome import Commit, Outcome, Result, compare_files, diff_revision, format_outcome
from jsorc_gitops.render.publish import Rendering, compare
from jsorc_gitops.render.report import Comparison, compute_comparison
from tests.model.builders import index, make_deployment, make_manifest

PAGE = (Path(__file__).parents[2] / "docs/json.md").read_text().partition("\n## Reconcile and diff\n")[0]
OLD = [
    make_deployment(replicas=1),
    make_manifest("Service", "old"),
    make_manifest("Secret", "keys", stringData={"a": "hunter2"}, type="a/b"),
]
NEW = [
    make_deployment(replicas=3),
    make_manifest("Secret", "keys", stringData={"a": "hunter3"}, type="a/b"),
    make_manifest(name="new", data={"a": "1"}, service="cache"),
]
IMAGE = Finding(
    where="templates/redis/a.yaml:1",
    ref=OLD[0].ref,
    path="spec.replicas",
    message="is odd",
    rule=Rule.IMAGE_TAG,
)
TOLD = {
    "rule": "image-tag",
    "severity": "warning",
    "where": "templates/redis/a.yaml:1",
    "object": {"group": "apps", "kind": "Deployment", "namespace": "default", "name": "redis"},
    "path": "spec.replicas",
    "message": "is odd",
}


def lay(*manifests: Manifest, tree: str = "default") -> dict[str, str]:
    """The files of a tree with these objects and settings."""
    below = "" if tree == "default" else f"{tree}/"
    files = format_tree([*manifests, make_settings_manifest(Settings(), tree)], tree=tree)
    return {f"{below}{path}": text for path, text in files.items()}


def make_rendering(before: dict[str, str], *manifests: Manifest, tree: str = "default") -> Rendering:
    trees = {tree: index(*manifests, make_settings_manifest(Settings(), tree))}
    return compare(lay(*manifests, tree=tree), trees, before, folders=("",))


def compare_to(before: dict[str, str], *manifests: Manifest, tree: str = "default") -> tuple[Comparison, ...]:
    return compare_files(make_rendering(before, *manifests, tree=tree), before, against="", mask_key=b"key")


def say(**outcome: Any) -> Any:
    return json.loads(format_outcome(Outcome(**outcome)))


def test_an_empty_outcome() -> None:
    """Every key is there when nothing is known, as where settings cannot be read."""
    assert say(result=Result.REFUSED, error=RepositoryError("no git")) == {
        "version": 1,
        "outcome": "refused",
        "allowed": None,
        "trees": [],
        "files": {"added": [], "changed": [], "removed": []},
        "warnings": [],
        "errors": [
            {
                "severity": "error",
                "rule": None,
                "where": None,
                "object": None,
                "path": "",
                "message": "no git",
            }
        ],
        "commit": None,
        "push": None,
    }


def test_findings_are_told_in_parts() -> None:
    """What the lint finds has rule, place, object and field of its own, as error and as warning."""
    rendering = make_rendering({"redis/notes.md": "by hand"}, *NEW)
    refused = say(error=FindingsError([IMAGE, IMAGE]))
    warned = say(rendering=Rendering(**{**fields(rendering), "findings": (IMAGE,)}))

    assert refused["errors"] == [TOLD, TOLD]
    assert warned["warnings"][0] == TOLD
    assert warned["warnings"][1]["message"].startswith("rendered/redis/notes.md was not written by jsorc")


def fields(rendering: Rendering) -> dict[str, Any]:
    return {name: getattr(rendering, name) for name in rendering.__dataclass_fields__}


def test_a_comparison_with_a_revision() -> None:
    """Dangers with what allows them, objects with every field, no value of a Secret."""
    comparison = compute_comparison(index(*OLD), index(*NEW), tree="default", against="main", mask_key=b"key")

    document = say(comparisons=(comparison,), allow=["immutable"], rendering=make_rendering(lay(*OLD), *NEW))
    [tree] = document["trees"]

    assert document["allowed"] is False
    assert (tree["tree"], tree["against"], tree["total"]) == ("default", "main", 4)
    assert tree["counts"] == {"added": 1, "changed": 2, "removed": 1}
    assert tree["dangers"][0] == {
        "rule": "remove",
        "allowed": False,
        "service": "redis",
        "object": {"group": "", "kind": "Service", "namespace": "default", "name": "old"},
        "path": "",
        "message": "is deleted",
        "before": None,
        "after": None,
    }
    assert [each["action"] for each in tree["objects"]] == ["added", "changed", "changed", "removed"]
    assert tree["objects"][0]["fields"] == [
        {"path": "", "before": None, "after": NEW[2].body, "reordered": False}
    ]
    assert tree["objects"][2] == {
        "action": "changed",
        "service": "redis",
        "object": {"group": "apps", "kind": "Deployment", "namespace": "default", "name": "redis"},
        "fields": [{"path": "spec.replicas", "before": 1, "after": 3, "reordered": False}],
    }
    assert "hunter" not in json.dumps(document)


def test_files_are_compared_by_those_that_differ() -> None:
    """Beside what lay there, a tree has the same differences as in full; a stranger's file is none."""
    before = lay(*OLD) | {"redis/mine.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}\n"}
    full = compute_comparison(index(*OLD), index(*NEW), tree="default", against="", mask_key=b"key")

    [found] = compare_to(before, *NEW)

    assert (found.diffs, found.changes) == (full.diffs, full.changes)
    [told] = say(comparisons=(found,))["trees"]
    assert (told["against"], told["dangers"]) == (None, [])


def test_a_list_that_was_deleted_removes_no_object() -> None:
    """A kustomization.yaml that somebody deleted is a file to write, and no change of any object."""
    before = {path: text for path, text in lay(*NEW).items() if path != "kustomization.yaml"}

    assert [each.diffs for each in compare_to(before, *NEW)] == [()]


def test_a_tree_that_goes() -> None:
    """Where the one tree makes room for environments, or the other way round, what goes is told once."""
    for old, new in (("default", "staging"), ("staging", "default")):
        found = {each.tree: each for each in compare_to(lay(*OLD, tree=old), *NEW, tree=new)}

        assert {name: len(each.diffs) for name, each in found.items()} == {old: 4, new: 4}
        assert {each.action for each in found[old].diffs} == {"removed"}
        assert {each.action for each in found[new].diffs} == {"added"}


def test_files_of_a_revision() -> None:
    """What differs from a revision's files is told by meaning, and only of files that jsorc wrote."""
    before = lay(*OLD) | {"redis/notes.md": "by hand"}
    commented = {path: text.replace("\n", "\n# a comment\n", 1) for path, text in lay(*NEW).items()}

    assert diff_revision(make_rendering({}, *NEW), commented) == TreeDiff(added=(), changed=(), removed=())
    assert diff_revision(make_rendering({}, *NEW), before) == TreeDiff(
        added=("cache/ConfigMap.yaml", "cache/kustomization.yaml"),
        changed=("kustomization.yaml", "redis/Deployment.yaml", "redis/Secret.yaml", "redis/kustomization.yaml"),
        removed=("redis/Service.yaml",),
    )


def test_the_documentation_shows_every_key() -> None:
    """Its example has the keys that the real one has, at every level, and its table every outcome."""
    [example] = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    comparison = compute_comparison(
        index(*OLD[:2]), index(*NEW[:1]), tree="default", against="main", mask_key=b"key"
    )
    real = say(
        rendering=Rendering(**{**fields(make_rendering({}, *NEW)), "findings": (IMAGE,)}),
        comparisons=(comparison,),
        files=TreeDiff(added=(), changed=("a", "b"), removed=("c",)),
        commit=Commit(revision="1", branch="main"),
        push=Delivery(ending=Ending.PUSHED, place="origin/main", revision="1"),
    )

    assert list_keys(json.loads(example)) == list_keys(real)
    assert re.findall(r"^\| `([a-z]+)` \| \d ", PAGE, re.MULTILINE) == [
        "unchanged",
        "written",
        "committed",
        "different",
        "refused",
    ]
    assert set(Result) == set(re.findall(r"^\| `([a-z]+)` \| \d ", PAGE, re.MULTILINE))


def list_keys(value: Any) -> Any:
    """The keys of mappings, and those of the first item of lists."""
    if isinstance(value, dict):
        return {key: list_keys(each) for key, each in value.items()}
    return [list_keys(each) for each in value[:1]] if isinstance(value, list) else None

"""A pass reads what the passes before it have not read, and sees the same tree."""

from pathlib import Path

import pytest

from jsorc_gitops.adapters.git import Repository
from jsorc_gitops.cli.reading import read_tree
from jsorc_gitops.errors import JsorcError, TreeError
from jsorc_gitops.model.tree import Tree
from tests.render.commands import start
from tests.render.worktree import Worktree, put

APP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {text: one}\n"
FILES = {
    "jsorc.yaml": "",
    "templates/app/app.yaml": APP,
    "templates/app/service.yaml": "plainSecrets: allow\n",
    "templates/app/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\ndata: {key: aHVzaA==}\n",
    "templates/other/other.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: other}\n",
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what was read is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """A repository that is rendered and committed."""
    work = Worktree(tmp_path / "repository")
    work.write(FILES)
    commit(work)
    return work


def commit(work: Worktree) -> None:
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message=definitions")
    assert start("render", "--commit", cwd=work.root).code == 0


def read(work: Worktree, environment: str = "") -> Tree:
    repository = Repository(work.root)
    return read_tree(repository, repository.get_head(), root=work.root, environment=environment)[0]


def list_fresh(tree: Tree) -> set[str]:
    """The objects that were read from git in this pass."""
    return {str(ref) for ref, each in tree.manifests.items() if each.kept is None}


def test_nothing_is_read_twice(work: Worktree) -> None:
    """The second pass gets all but Secrets out of the cache, and each pass the whole tree."""
    first = read(work)
    second = read(work)

    assert list_fresh(first) == set(map(str, first.manifests))
    assert list_fresh(second) == {"Secret/default/key"}
    assert second == first


def test_secrets_stay_out_of_the_cache(work: Worktree, cache: Path) -> None:
    """Nothing of them lies in the cache."""
    read(work)

    texts = [path.read_text() for path in cache.rglob("*") if path.is_file()]
    assert any("one" in text for text in texts)
    assert not any("aHVzaA" in text for text in texts)


def test_a_changed_file_is_read(work: Worktree) -> None:
    """After a commit its files are read and no others, and the pass after that reads none."""
    read(work)
    work.write({"templates/app/app.yaml": APP.replace("one", "two")})
    commit(work)

    tree = read(work)

    assert list_fresh(tree) == {"ConfigMap/default/app", "Secret/default/key"}
    assert [each.body["data"] for ref, each in tree.manifests.items() if ref.name == "app"] == [{"text": "two"}]
    assert list_fresh(read(work)) == {"Secret/default/key"}


def test_an_older_commit_is_read_as_it_was(work: Worktree) -> None:
    """Going back to a commit gives its tree, whatever was kept since."""
    first, old = read(work), work.git("rev-parse", "HEAD")
    work.write({"templates/app/app.yaml": APP.replace("one", "two")})
    commit(work)
    read(work)
    work.git("reset", "--quiet", "--hard", old)

    assert read(work) == first


def test_environments_are_kept_apart(tmp_path: Path) -> None:
    """A file that was copied from one environment to another is refused, though it was read there before."""
    work = Worktree(tmp_path / "both")
    work.write({**FILES, "jsorc.yaml": "environments: {test: {namespace: test}, prod: {namespace: prod}}\n"})
    commit(work)
    read(work, "test")
    put(
        work.root,
        {"rendered/prod/app/ConfigMap.yaml": (work.root / "rendered/test/app/ConfigMap.yaml").read_text()},
    )
    work.git("commit", "--quiet", "--all", "--message=copied")

    with pytest.raises(TreeError, match="does not carry the label"):
        read(work, "prod")


def test_a_broken_cache_costs_time_only(work: Worktree, cache: Path) -> None:
    """What cannot be read there is passed over, and written anew."""
    first = read(work)
    (kept,) = cache.rglob("tree-*.json")
    kept.write_text("{")

    assert read(work) == first
    assert list_fresh(read(work)) == {"Secret/default/key"}


def test_nothing_rendered(tmp_path: Path) -> None:
    """A commit without rendered/ is told as such, by its place in the repository."""
    work = Worktree(tmp_path / "empty")
    work.write({"jsorc.yaml": ""})
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message=empty")

    with pytest.raises(JsorcError, match="has no rendered/; run jsorc render --commit first"):
        read(work)

    (work.root / "sub").mkdir()
    inside = Repository(work.root / "sub")
    with pytest.raises(JsorcError, match="has no sub/rendered/; run"):
        read_tree(inside, inside.get_head(), root=work.root / "sub", environment="")

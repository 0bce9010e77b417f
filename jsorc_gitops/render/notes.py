"""What a change does besides what it says, and nobody may expect: told once, when it is made."""

from collections.abc import Collection

from jsorc_gitops.model.layout import TreeDiff, compute_folder
from jsorc_gitops.model.settings import DEFAULT_TREE, Settings


def compute_notes(diff: TreeDiff, trees: Collection[str], settings: Settings) -> tuple[str, ...]:
    """Trees that are rendered no more, and new services that reconcile would not apply."""
    gone = [
        f"{tree} is rendered no more; what it runs in its cluster stays there (docs/settings.md, environments)"
        for tree in find_gone_trees(diff)
        if tree not in trees
    ]
    asleep = [
        f"{service} is not in keep_alive of jsorc.yaml, so jsorc reconcile would not apply it"
        for tree in trees
        for service in _find_added(diff, tree)
        if not settings.of_tree(tree).keeps_alive(service)
    ]
    return (*gone, *dict.fromkeys(asleep))


def find_gone_trees(diff: TreeDiff) -> list[str]:
    """The trees that are removed whole: every tree has its settings, and no service a file of that name."""
    gone = [path.rpartition("/")[0] for path in diff.removed if f"/{path}".endswith("/settings.yaml")]
    return [tree or DEFAULT_TREE for tree in gone]


def _find_added(diff: TreeDiff, tree: str) -> list[str]:
    """The services that were not there before."""
    below = compute_folder(tree)
    paths = [path.removeprefix(below) for path in diff.added if path.startswith(below)]
    return [path.removesuffix("/record.yaml") for path in paths if path.endswith("/record.yaml")]

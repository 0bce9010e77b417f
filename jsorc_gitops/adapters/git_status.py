"""What git says of files of the work tree."""

import os
import re
from collections.abc import Collection

from jsorc_gitops.adapters.git_command import Git

_SUBMODULE = "160000"


def list_dirty(git: Git, prefix: str, paths: Collection[str], *, ignored: bool) -> list[str]:
    """Files that differ from HEAD or that git does not track, as git spells them.

    `paths` are spelled from the folder at `prefix`, or absolute; those outside of the work tree are passed over.
    One with "/" at its end means what lies in a folder, not in folders below it. Files that git ignores are told
    on request: what `paths` name, and what lies below that, but for hidden files and what Python leaves in
    __pycache__.
    """
    named: list[str] = []
    listed: list[str] = []
    for path in paths:
        spelled = os.path.relpath(git.top / prefix / path, git.top)
        if not f"{spelled}/".startswith("../"):
            (listed if path.endswith("/") else named).append("" if spelled == "." else spelled)
    named += _find_submodules(git, named)
    patterns = [f":(top,literal){path}" for path in named]
    patterns += [f":(top,glob){_escape(f'{folder}/' if folder else '')}*" for folder in listed]
    if not patterns:
        return []
    options = ("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    more = ("--ignored=traditional",) if ignored else ()
    listing = git.run("status", *options, *more, "--", *patterns)
    entries = [(entry[:2], entry[3:]) for entry in listing.split("\0") if entry]
    return sorted(path for state, path in entries if state != "!!" or _is_asked(path, named, prefix))


def list_unwatched(git: Git, paths: Collection[str]) -> list[str]:
    """Files that lie there, and that git was told not to look at: assume-unchanged, skip-worktree."""
    listing = git.run("ls-files", "-v", "-z", "--", *paths)
    marked = [entry[2:] for entry in listing.split("\0") if entry[:1].islower() or entry[:1] == "S"]
    return [path for path in marked if os.path.lexists(git.place / path)]


def _is_asked(path: str, named: Collection[str], prefix: str) -> bool:
    """Whether an ignored file, or folder that is ignored whole, is or holds what was named, or lies below it."""
    if any(f"{name}/".startswith(f"{path.rstrip('/')}/") for name in named):
        return True
    below = any(path.startswith(f"{name}/") for name in named)
    parts = path.removeprefix(prefix).split("/")
    return below and not any(part.startswith(".") or part == "__pycache__" for part in parts)


def _find_submodules(git: Git, paths: Collection[str]) -> set[str]:
    """Those that hold one of these files: git looks into them as a whole only."""
    if not (git.top / ".gitmodules").exists():
        return set()
    entries = git.run("ls-files", "--stage", "-z", "--full-name", ":(top)").split("\0")
    modules = [entry.partition("\t")[2] for entry in entries if entry.startswith(_SUBMODULE)]
    return {module for module in modules if any(path.startswith(f"{module}/") for path in paths)}


def _escape(folder: str) -> str:
    return re.sub(r"([*?\[\\])", r"\\\1", folder)

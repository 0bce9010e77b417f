"""The door to git: reads trees at a revision, commits one folder, moves branches. Decides nothing.

What git refuses comes out as RepositoryError with git's own words.
"""

import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from jsorc_gitops.adapters.git_command import Git, GitError
from jsorc_gitops.adapters.git_history import count_apart, list_commits
from jsorc_gitops.adapters.git_objects import Blobs, write_commit
from jsorc_gitops.adapters.git_remote import Remote
from jsorc_gitops.adapters.git_status import list_dirty, list_unwatched
from jsorc_gitops.errors import RepositoryError
from jsorc_gitops.model.commits import Commit

# What git leaves in its folder while it is in the middle of something; a rebase may stop at a cherry-pick.
_OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


class Repository:
    """The git repository around a folder that holds jsorc.yaml."""

    def __init__(self, root: Path) -> None:
        """Open it; raise RepositoryError where there is none or no git."""
        self._git = Git(root)
        # In the hook of a linked work tree, git takes the folder it is started in for the top of the work tree.
        self._place = {"GIT_WORK_TREE": str(self._git.top)}
        try:
            # Git's first word: it refuses a repository of another user, for one.
            self._prefix = self._git.run("rev-parse", "--show-prefix", env=self._place)
        except GitError as error:
            raise RepositoryError(f"{root}: {error}") from error

    @property
    def prefix(self) -> str:
        """Where the folder lies in its repository, with '/' at the end; "" at its top."""
        return self._prefix

    def get_head(self) -> str:
        """The commit of HEAD, 40 hex digits; raise RepositoryError on an unborn branch."""
        try:
            return self._git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        except GitError as error:
            branch = self._git.run("symbolic-ref", "--short", "HEAD")
            raise RepositoryError(
                f"branch {branch} has no commit yet; commit jsorc.yaml and templates/ first"
            ) from error

    def get_commit(self, revision: str) -> str:
        """The commit that a branch, tag or other revision stands for; raise RepositoryError where it is none."""
        try:
            return self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except GitError as error:
            raise RepositoryError(
                f"{revision}: no commit of this name; fetch it first, or check the name"
            ) from error

    def get_branch(self) -> str:
        """The branch HEAD is on; raise RepositoryError where it is detached."""
        try:
            return self._git.run("symbolic-ref", "--short", "--quiet", "HEAD")
        except GitError as error:
            raise RepositoryError(
                "HEAD is detached, a commit there would belong to no branch; run git switch BRANCH"
            ) from error

    def get_tip(self, branch: str) -> str:
        """The commit of a local branch; "" where there is no such branch."""
        try:
            return self._git.run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
        except GitError:
            return ""

    def get_operation(self) -> str:
        """What git is in the middle of: merge, rebase, cherry-pick, revert, bisect; "" if nothing."""
        found = (name for file, name in _OPERATIONS.items() if (self._git.folder / file).exists())
        return next(found, "")

    def get_remote(self, branch: str) -> Remote:
        """Where a branch is pushed to; raise RepositoryError where nothing says that."""
        return Remote(self._git, branch)

    def read_tree(self, revision: str, folder: str) -> dict[str, str]:
        """All files below a folder at a commit, by path; empty where the commit has no such folder."""
        blobs = self.list_blobs(revision, folder)
        return blobs.read(blobs.oids)

    def list_blobs(self, revision: str, folder: str) -> Blobs:
        """The same files unread."""
        return Blobs(self._git, revision, f"{self._prefix}{folder}")

    def list_dirty(self, *paths: str, ignored: bool = False) -> list[str]:
        """Files at or below `paths` that differ from HEAD or that git does not track, as git spells them.

        A path may be absolute, and outside; "/" at its end: what lies in that folder. Files that git ignores are
        told on request, except hidden ones and what Python leaves in __pycache__.
        """
        return list_dirty(self._git, self._prefix, paths, ignored=ignored)

    def list_unwatched(self, *paths: str) -> list[str]:
        """Files at or below `paths` that lie there, but that git was told not to look at."""
        return list_unwatched(self._git, paths)

    def list_changed_since(self, folder: str, *paths: str) -> list[str]:
        """Files below `paths` that differ, at HEAD, from what they were when `folder` was last committed."""
        last = self._git.run("rev-list", "-1", "HEAD", "--", folder)
        if not last:
            return []
        return self._git.run("diff", "--name-only", last, "HEAD", "--", *paths).splitlines()

    def list_commits(self, old: str, new: str, *, within: str) -> list[Commit]:
        """The commits of `new` that `old` does not have, parents first; those that leave a folder stray."""
        return list_commits(self._git, old, new, within=f"{self._prefix}{within}")

    def has_path(self, revision: str, path: str) -> bool:
        """Whether a commit holds a file or a folder of this path."""
        return bool(self._git.run("ls-tree", "--full-tree", revision, "--", f"{self._prefix}{path}"))

    def has_history(self, path: str, *, revision: str = "HEAD") -> bool:
        """Whether any commit up to a revision, or of OLD..NEW, touched this path."""
        return bool(self._git.run("rev-list", "-1", revision, "--", f":(literal){path}"))

    def is_shallow(self) -> bool:
        """Whether this clone lacks older commits."""
        return self._git.run("rev-parse", "--is-shallow-repository") == "true"

    def is_ancestor(self, old: str, new: str) -> bool | None:
        """Whether `new` descends from `old`; None where this clone cannot tell (a commit it has not)."""
        try:
            self._git.run("merge-base", "--is-ancestor", old, new)
        except GitError as error:
            return False if error.status == 1 else None
        return True

    def count_apart(self, old: str, new: str) -> tuple[int, int] | None:
        """How many commits `new` has that `old` has not, and the other way; None where this clone cannot tell."""
        return count_apart(self._git, old, new)

    def list_trailers(self, old: str, new: str, key: str) -> list[str]:
        """The values of a trailer in the commits after `old` up to `new`, those below this folder only."""
        form = f"--format=%(trailers:key={key},valueonly,separator=%x0A)"
        try:
            listing = self._git.run("rev-list", "--no-commit-header", form, f"{old}..{new}")
        except GitError:
            return []
        values = [line.strip() for line in listing.splitlines()]
        mine = [value.removeprefix(self._prefix) for value in values if value.startswith(self._prefix)]
        return [value for value in mine if value]

    def commit_files(self, paths: Sequence[str], message: str) -> str:
        """Commit these files as they lie on disk, the missing ones as removed, and nothing else.

        What else is staged stays staged; .gitignore is not asked. Author, signing and hooks are as git is
        configured. Returns the new commit, which is made even where the files are as committed, since the
        message may be what counts. Raises RepositoryError, and leaves the index as it was.
        """
        if operation := self.get_operation():
            raise RepositoryError(f"a {operation} is not finished; finish or abort it first")
        staged, head = self._write_index(), self.get_head()
        listing = "\0".join(paths)
        with tempfile.TemporaryDirectory() as scratch, ExitStack() as undo:
            # git commit --only would do it too, in a time that grows with the square of the files.
            other = {"GIT_INDEX_FILE": f"{scratch}/index"}
            with suppress(FileNotFoundError):
                shutil.copyfile(self._git.folder / "index", other["GIT_INDEX_FILE"])
            undo.callback(self._restore_index, staged, paths, head=head)
            try:
                self._git.run("read-tree", "--reset", "HEAD", env=other)
                for index in (other, {}):
                    self._git.run("update-index", "--add", "--remove", "-z", "--stdin", feed=listing, env=index)
                options = ("--quiet", "--allow-empty", "--cleanup=whitespace", "--file=-")
                self._git.run("commit", *options, feed=message, env=other)
            except GitError as error:
                raise RepositoryError(f"git refused the commit: {error}") from error
            undo.pop_all()
        return self.get_head()

    def commit_branch(
        self,
        branch: str,
        files: Mapping[str, str],
        removed: Collection[str],
        message: str,
        *,
        parent: str,
        replacing: str,
    ) -> str:
        """Commit to a branch that is not checked out: these files on top of `parent`, or of nothing if "".

        Work tree, index and HEAD are left alone; no commit hook runs; author and signing are as git is
        configured. The branch must be at `replacing` ("" where it must not exist yet), or RepositoryError is
        raised. Paths are those of our folder. Returns the new commit.
        """
        self._check_branch(branch)
        placed = {f"{self._prefix}{path}": text for path, text in files.items()}
        gone = [f"{self._prefix}{path}" for path in removed]
        try:
            revision = write_commit(self._git, placed, gone, parent=parent, message=message)
        except GitError as error:
            raise RepositoryError(f"git refused the commit: {error}") from error
        self.set_branch(branch, old=replacing, new=revision)
        return revision

    def set_branch(self, branch: str, *, old: str, new: str) -> None:
        """Move a branch that is not checked out; raise RepositoryError where it is not at `old` any more."""
        self._check_branch(branch)
        try:
            self._git.run("update-ref", "-m", "jsorc render", f"refs/heads/{branch}", new, old)
        except GitError as error:
            if self.get_tip(branch) != old:
                raise RepositoryError(f"branch {branch} was changed by somebody else; try again") from error
            raise RepositoryError(f"branch {branch} cannot be moved: {error}") from error

    def move_head(self, *, old: str, new: str) -> None:
        """Bring HEAD's branch, the index and the work tree from `old` to `new` at once.

        What is staged or changed stays so, and ORIG_HEAD keeps `old`. Raises RepositoryError, with nothing
        moved, where local changes are in the way.
        """
        branch = self.get_branch()
        if self.get_head() != old:
            raise RepositoryError(f"branch {branch} was changed by somebody else; try again")
        options = ("--quiet", "--no-track", "--no-overwrite-ignore", "-B", branch)
        try:
            self._git.run("update-ref", "ORIG_HEAD", old)
            # One command does all of it, so nobody can be killed between its parts.
            self._git.run("-c", f"core.hooksPath={os.devnull}", "checkout", *options, new, "--", apart=True)
        except GitError as error:
            raise RepositoryError(f"branch {branch} cannot be moved to {new[:12]}: {error}") from error

    def export_index(self, folder: Path) -> Path:
        """Write what is staged of our folder below an empty one, and return where jsorc.yaml is there.

        In a hook, that is what is about to be committed. Raises RepositoryError while there are conflicts.
        """
        tree = self._write_index()
        with tempfile.TemporaryDirectory() as scratch:
            place = {**self._place, "GIT_INDEX_FILE": f"{scratch}/index"}
            self._git.run("read-tree", tree, env=place)
            self._git.run("checkout-index", "--all", f"--prefix={folder}/", env=place)
        return folder / self._prefix

    def _check_branch(self, branch: str) -> None:
        try:
            spelled = self._git.run("check-ref-format", "--branch", branch)
        except GitError:
            spelled = ""
        # Git takes @{-1} for the branch before, and refs/heads/live for one below refs/heads/refs/.
        if not spelled or spelled != branch or branch.startswith("refs/"):
            raise RepositoryError(f"{branch!r} cannot be the name of a branch; name it as in --branch live")
        if f"branch refs/heads/{branch}" in self._git.run("worktree", "list", "--porcelain").splitlines():
            raise RepositoryError(f"branch {branch} is checked out; use --commit there, or name another branch")

    def _write_index(self) -> str:
        try:
            return self._git.run("write-tree", env=self._place)
        except GitError as error:
            if conflicts := self._git.run("diff", "--name-only", "--diff-filter=U", "-z").split("\0")[0]:
                raise RepositoryError(f"{conflicts} has a merge conflict; resolve it and git add it") from error
            raise RepositoryError(f"the index cannot be committed: {error}") from error

    def _restore_index(self, staged: str, paths: Sequence[str], *, head: str) -> None:
        """Stage for these paths what a tree holds, and nothing where it holds nothing."""
        if self.get_head() != head:
            return  # we were interrupted after all was done
        full = {f"{self._prefix}{path}" for path in paths}
        entries = self._git.run("ls-tree", "-r", "-z", "--full-tree", staged).split("\0")
        held = [entry for entry in entries if entry.partition("\t")[2] in full]
        gone = [f"0 {'0' * len(staged)}\t{path}" for path in full]
        self._git.run("update-index", "-z", "--index-info", feed="\0".join([*gone, *held]))

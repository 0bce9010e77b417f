"""The door to git: reads trees at a revision, commits one folder. Decides nothing.

Only this module knows GitPython. What git refuses comes out as RepositoryError with git's own words.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jsorc_gitops.errors import RepositoryError, TreeError

if TYPE_CHECKING:
    import git

_REGULAR_FILE = 0o100000


class Repository:
    """The git repository around a folder that holds jsorc.yaml."""

    def __init__(self, root: Path) -> None:
        """Open it; raise RepositoryError where there is none or no git."""
        try:
            # GitPython takes 0.1 s to import and fails to when there is no git.
            import git
        except ImportError as error:
            raise RepositoryError("git is not installed, or not on PATH") from error
        self._failed = git.GitCommandError
        try:
            self._repo = git.Repo(root, search_parent_directories=True)
        except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
            raise RepositoryError(f"{root}: not in a git repository; run git init") from error
        if self._repo.working_tree_dir is None:
            raise RepositoryError(f"{root}: a bare repository has no work tree; use a clone")
        self._git: git.Git = git.Git(root)
        try:
            # Git's first word: it refuses a repository of another user, for one.
            self._prefix = str(self._git.rev_parse("--show-prefix"))
        except self._failed as error:
            raise RepositoryError(f"{root}: {_words(error)}") from error

    def close(self) -> None:
        self._repo.close()

    def get_head(self) -> str:
        """The commit of HEAD, 40 hex digits; raise RepositoryError on an unborn branch."""
        try:
            return str(self._git.rev_parse("--verify", "--quiet", "HEAD^{commit}"))
        except self._failed as error:
            branch = self._git.symbolic_ref("--short", "HEAD")
            raise RepositoryError(
                f"branch {branch} has no commit yet; commit jsorc.yaml and templates/ first"
            ) from error

    def get_branch(self) -> str:
        """The branch HEAD is on; raise RepositoryError where it is detached."""
        try:
            return str(self._git.symbolic_ref("--short", "--quiet", "HEAD"))
        except self._failed as error:
            raise RepositoryError(
                "HEAD is detached, a commit there would belong to no branch; run git switch BRANCH"
            ) from error

    def read_tree(self, revision: str, folder: str) -> dict[str, str]:
        """All files below a folder at a commit, by path; empty where the commit has no such folder."""
        path = f"{self._prefix}{folder}"
        commit = self._repo.commit(revision)
        try:
            tree = commit.tree[path]
        except KeyError:
            return {}
        if tree.type != "tree":
            raise TreeError(f"{path} at {revision[:12]} is no folder")
        files = {}
        for item in tree.traverse():
            if getattr(item, "type", "") == "tree":
                continue
            if item.mode & 0o170000 != _REGULAR_FILE:  # type: ignore[union-attr]
                raise TreeError(f"{item.path} at {revision[:12]} is a symbolic link or a submodule")  # type: ignore[union-attr]
            name = str(item.path)[len(path) + 1 :]  # type: ignore[union-attr]
            files[name] = item.data_stream.read().decode(errors="replace")  # type: ignore[union-attr]
        return dict(sorted(files.items()))

    def list_dirty(self, *paths: str) -> list[str]:
        """Files below `paths` that differ from HEAD or that git does not track, as git spells them."""
        listing = str(
            self._git.status("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", *paths)
        )
        return sorted(entry[3:] for entry in listing.split("\0") if entry)

    def list_changed_since(self, folder: str, *paths: str) -> list[str]:
        """Files below `paths` that differ, at HEAD, from what they were when `folder` was last committed."""
        last = str(self._git.rev_list("-1", "HEAD", "--", folder))
        if not last:
            return []
        return str(self._git.diff("--name-only", last, "HEAD", "--", *paths)).splitlines()

    def commit_files(self, paths: Sequence[str], message: str) -> str:
        """Commit these files as they lie on disk, the missing ones as removed, and nothing else.

        What else is staged stays staged; .gitignore is not asked. Author, signing and hooks are as git is
        configured. Returns the new commit, which is made even where the files are as committed, since the
        message may be what counts. Raises RepositoryError, and leaves the index as it was.
        """
        staged = self._write_index()
        # Lists and messages go by file: a command line takes 128 KiB an argument.
        with _file_of("\0".join(paths)) as listing, _file_of(message) as text, ExitStack() as undo:
            chosen = (f"--pathspec-from-file={listing}", "--pathspec-file-nul")
            undo.callback(self._git.reset, "--quiet", staged, *chosen)
            try:
                with Path(listing).open("rb") as stream:
                    self._git.update_index("--add", "--remove", "-z", "--stdin", istream=stream)
                options = ("--quiet", "--only", "--allow-empty", "--cleanup=whitespace")
                self._git.commit(*options, f"--file={text}", *chosen)
            except self._failed as error:
                raise RepositoryError(f"git refused the commit: {_words(error)}") from error
            undo.pop_all()
        return self.get_head()

    def _write_index(self) -> str:
        try:
            return str(self._git.write_tree())
        except self._failed as error:
            raise RepositoryError(f"the index cannot be committed: {_words(error)}") from error

    @property
    def prefix(self) -> str:
        """Where the folder lies in its repository, with '/' at the end; "" at its top."""
        return self._prefix

    def has_history(self, path: str) -> bool:
        """Whether any commit up to HEAD touched this path."""
        return bool(self._git.rev_list("-1", "HEAD", "--", f":(literal){path}"))

    def is_shallow(self) -> bool:
        """Whether this clone lacks older commits."""
        return str(self._git.rev_parse("--is-shallow-repository")) == "true"

    def is_ancestor(self, old: str, new: str) -> bool | None:
        """Whether `new` descends from `old`; None where this clone cannot tell (a commit it has not)."""
        try:
            self._git.merge_base("--is-ancestor", old, new)
        except self._failed as error:
            return False if error.status == 1 else None
        return True

    def list_trailers(self, old: str, new: str, key: str) -> list[str]:
        """The values of a trailer in the commits after `old` up to `new`; none where it does not know `old`."""
        form = f"--format=%(trailers:key={key},valueonly,separator=%x0A)"
        try:
            listing = str(self._git.log(form, f"{old}..{new}"))
        except self._failed:
            return []
        values = [line.strip() for line in listing.splitlines()]
        mine = [value.removeprefix(self._prefix) for value in values if value.startswith(self._prefix)]
        return [value for value in mine if value and "/" not in value]


@contextmanager
def _file_of(text: str) -> Iterator[str]:
    """The name of a file that holds this text, and is gone afterwards."""
    with tempfile.NamedTemporaryFile("w", prefix="jsorc-", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        yield file.name


def _words(error: "git.GitCommandError") -> str:
    text = str(error.stderr or error.stdout).strip()
    return text.removeprefix("stderr:").removeprefix("stdout:").strip().strip("'").strip()

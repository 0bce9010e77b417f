"""Where a branch is pushed to. Says what came of it, by git's status flags; decides nothing."""

import re

from jsorc_gitops.adapters.git_command import Git, GitError
from jsorc_gitops.errors import RepositoryError
from jsorc_gitops.model.commits import PushOutcome, PushState

_CREDENTIALS = re.compile("//[^/@]*@")

# Of git push --porcelain; the others are of forced updates and of deletions, which are not asked for.
_FLAGS = {
    " ": PushState.PUSHED,
    "*": PushState.PUSHED,
    "=": PushState.UP_TO_DATE,
    "!": PushState.REJECTED,
}

# Nothing is left behind that another fetch of the same clone could overwrite or be confused by.
_QUIETLY = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")


class Remote:
    """One branch of one remote."""

    def __init__(self, git: Git, branch: str) -> None:
        """Find where `git push` would push `branch` to; raise RepositoryError where nothing says that.

        That is branch.<name>.pushRemote, remote.pushDefault, the branch's upstream, or origin, in this order;
        and the upstream's branch where it lies there, or else the branch of the same name.
        """
        entries = git.run("config", "--list", "-z").split("\0")
        config = {key: value for key, _, value in (entry.partition("\n") for entry in entries)}
        upstream = config.get(f"branch.{branch}.remote")
        if upstream == ".":
            # A branch that follows another local one is not pushed into that one.
            upstream = None
        chosen = config.get(f"branch.{branch}.pushremote") or config.get("remote.pushdefault") or upstream
        if not chosen and "remote.origin.url" not in config:
            raise RepositoryError(
                f"no remote to push {branch} to; run git remote add origin URL, or git push -u REMOTE {branch}"
            )
        self._git = git
        self._remote = chosen or "origin"
        merge = config.get(f"branch.{branch}.merge") if self._remote == upstream else None
        self._ref = merge or f"refs/heads/{branch}"

    def __str__(self) -> str:
        """As git spells it: origin/main; an address without its credentials."""
        return f"{_CREDENTIALS.sub('//', self._remote)}/{self._ref.removeprefix('refs/heads/')}"

    def push(self, revision: str) -> PushOutcome:
        """Push a commit there, never by force; raise RepositoryError where the server gave no answer to it."""
        if not revision:
            # To git, nothing at the left of the colon means that the branch is to be deleted.
            raise RepositoryError(f"{self}: no commit to push")
        try:
            output = self._git.run("push", "--porcelain", self._remote, f"{revision}:{self._ref}")
            words = ""
        except GitError as error:
            output, words = error.output, str(error)
        for line in output.splitlines():
            flag, _, rest = line.partition("\t")
            refs, _, summary = rest.partition("\t")
            if flag in _FLAGS and refs.endswith(f":{self._ref}"):
                return PushOutcome(state=_FLAGS[flag], words=f"{summary}\n{words}".strip())
        # A hook of this clone may say it to either.
        said = "\n".join(filter(None, dict.fromkeys((words, output))))
        raise RepositoryError(f"{self}: git push failed: {said}")

    def fetch(self) -> str:
        """The commit that is there now, brought here with its history; "" where there is no such branch."""
        try:
            listing = self._git.run("ls-remote", self._remote, self._ref)
            # Git answers with everything that ends in the name.
            tips = [
                oid for oid, _, ref in (line.partition("\t") for line in listing.splitlines()) if ref == self._ref
            ]
            if tips:
                self.fetch_commit(self._ref)
        except GitError as error:
            raise RepositoryError(f"{self}: git fetch failed: {error}") from error
        return tips[0] if tips else ""

    def fetch_commit(self, revision: str) -> None:
        """Bring a commit of the remote here, with its history; raise RepositoryError where it has none."""
        self._git.run("fetch", *_QUIETLY, self._remote, revision)

"""Runs git in one folder. Only this module knows GitPython; what git refuses is a GitError in its own words."""

import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jsorc_gitops.errors import RepositoryError


class GitError(RepositoryError):
    """Git ended with another `status` than 0; `output` is what it had printed until then."""

    def __init__(self, words: str, *, status: int, output: str) -> None:
        super().__init__(words)
        self.status = status
        self.output = output


class Git:
    """The git of a folder in a work tree: `top` is that tree, `folder` is where git keeps its own files."""

    def __init__(self, root: Path) -> None:
        """Find the repository; raise RepositoryError where there is none with a work tree, or no git."""
        _check_program()
        # It takes 0.1 s to import.
        import git

        try:
            with git.Repo(root, search_parent_directories=True) as repo:
                self.folder, top = Path(repo.git_dir), repo.working_tree_dir
        except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
            why = "not in a git repository; go to yours, or name it with jsorc -C, or begin one: jsorc init"
            raise RepositoryError(f"{root}: {why}") from error
        if top is None:
            raise RepositoryError(f"{root}: a bare repository has no work tree; use a clone")
        self.top = Path(top)
        self.place, self._git = root, git.Git(root)

    def run(
        self, *arguments: str, feed: str = "", env: Mapping[str, str] | None = None, apart: bool = False
    ) -> str:
        """What `git ARGUMENTS` prints when it is fed this, less the end of its last line; raise GitError.

        Run apart, it does not hear the terminal's ^C, and finishes; any other is ended with us.
        """
        return self.read(*arguments, feed=feed.encode(), env=env, apart=apart).decode(errors="replace")

    def read(
        self,
        *arguments: str,
        feed: bytes = b"",
        env: Mapping[str, str] | None = None,
        apart: bool = False,
    ) -> bytes:
        """The same in bytes."""
        # GitPython hands over a file, no text; and a command line takes 128 KiB an argument.
        with tempfile.TemporaryFile() as stream:
            stream.write(feed)
            stream.seek(0)
            status, output, words = self._finish(arguments, stream, env, apart=apart)
        if status:
            # What a server says is padded to the width of a terminal.
            told = words.decode(errors="replace").strip()
            said = "\n".join(line.rstrip() for line in told.splitlines())
            text = output.decode(errors="replace").strip()
            raise GitError(said or text or f"git {arguments[0]} ended with {status}", status=status, output=text)
        return output.removesuffix(b"\n")

    def _finish(
        self, arguments: Sequence[str], feed: Any, env: Mapping[str, str] | None, *, apart: bool
    ) -> tuple[int, bytes, bytes]:
        """Status, output and words of a git that has ended, also where we are interrupted.

        What we do then, and whatever others do once we are gone, must not meet one that goes on.
        """
        started: Any = None  # ends its process where it is dropped
        try:
            with _no_interrupts():
                started = self._git.execute(
                    ["git", *arguments], istream=feed, env=env, as_process=True, start_new_session=apart
                )
            output, words = started.proc.communicate()
        except BaseException:
            if started is not None:
                if not apart:
                    started.proc.terminate()
                started.proc.wait()
            raise
        return started.proc.returncode, output, words


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Put off ^C until the end."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    missed = []
    signal.signal(signal.SIGINT, lambda *_: missed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if missed:
            signal.raise_signal(signal.SIGINT)


def write_repository(root: Path) -> None:
    """Begin a repository in a folder, as `git init` is configured. Raises RepositoryError."""
    _check_program()
    import git

    status, _, words = git.Git(root).execute(
        ["git", "init", "--quiet"], with_extended_output=True, with_exceptions=False
    )
    if status:
        raise RepositoryError(f"{root}: git init failed: {words}")


def is_in_repository(root: Path) -> bool:
    """Whether a folder, or one above it, belongs to git; raise RepositoryError where there is no git."""
    _check_program()
    import git

    try:
        git.Repo(root, search_parent_directories=True).close()
    except git.InvalidGitRepositoryError:
        return False
    return True


def _check_program() -> None:
    """Raise RepositoryError where there is no git: then GitPython fails to import."""
    try:
        import git  # noqa: F401
    except ImportError as error:
        raise RepositoryError("git is not installed, or not on PATH") from error

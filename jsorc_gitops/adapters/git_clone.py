"""A clone of another repository's branch in the cache, for whoever reconciles without a checkout."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from jsorc_gitops.adapters.git_command import Git, GitError, write_repository
from jsorc_gitops.errors import RepositoryError

_REF = re.compile(r"ref: refs/heads/(\S+)\tHEAD")
_SETTINGS = (
    # A server that says nothing for a minute is not waited for.
    *("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"),
    # Housekeeping is done before we go on; left running, it would be ended with the pod.
    *("-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false"),
)
_QUIETLY = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--update-head-ok")


def check_url(url: str) -> str:
    """The URL, if git may be given it; raise RepositoryError where it holds credentials, or is an option."""
    scheme, user, password = _split(url)
    if password or (user and scheme in {"http", "https"}):
        # Not quoted, since it is a secret.
        raise RepositoryError(
            "--repo: credentials do not belong into a URL, which processes and logs show; give them to git by a "
            "credential helper, or use ssh"
        )
    if not url or url.startswith("-"):
        raise RepositoryError(f"--repo: {url!r} is no URL")
    return url


def _split(url: str) -> tuple[str, str, str]:
    """Scheme, user and password; empty where it has none, or is no URL to Python."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", "", ""
    return parts.scheme, parts.username or "", parts.password or ""


def update_clone(cache: Path, url: str, branch: str, folder: str = ".") -> Path:
    """Bring the branch ("" for the remote's own) as it is now, with its whole history; a folder of the clone.

    HEAD is that branch, no file is checked out, and of a history that was rewritten it has the new one. Raises
    RepositoryError.
    """
    key = hashlib.sha256(f"{url}\0{branch}".encode()).hexdigest()[:16]
    clone = cache / "jsorc" / "clones" / key
    try:
        (clone / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RepositoryError(
            f"--repo keeps a clone in {clone}, which cannot be made: {error.strerror}; set XDG_CACHE_HOME"
        ) from error
    if not (clone / ".git" / "HEAD").exists():
        write_repository(clone)
    git = Git(clone)
    try:
        name = branch or _find_branch(git, url)
        ref = f"refs/heads/{name}"
        git.run("symbolic-ref", "HEAD", ref)
        git.run(*_SETTINGS, "fetch", *_QUIETLY, "--", url, f"+{ref}:{ref}")
    except GitError as error:
        raise RepositoryError(f"{url}: git fetch failed: {error}") from error
    return clone / folder


def _find_branch(git: Git, url: str) -> str:
    found = _REF.match(git.run(*_SETTINGS, "ls-remote", "--symref", "--", url, "HEAD"))
    if not found:
        raise RepositoryError(f"{url}: it has no branch of its own; name one with --branch")
    return found[1]

"""Author and signature of commits are as git is configured, on HEAD's branch and on others."""

import subprocess
from collections.abc import Callable

import pytest

from jsorc_gitops.adapters.git import Repository
from tests.adapters.complaints import complaint
from tests.render.worktree import Worktree

MESSAGE = "render: all\n\nJsorc-Source: x\n"

Commit = Callable[[Worktree], str]


def commit_here(work: Worktree) -> str:
    work.write({"rendered/a": "2"})
    return Repository(work.root).commit_files(["rendered/a"], MESSAGE)


def commit_elsewhere(work: Worktree) -> str:
    files = {"rendered/a": "2"}
    return Repository(work.root).commit_branch("live", files, [], MESSAGE, parent="", replacing="")


both = pytest.mark.parametrize("commit", [commit_here, commit_elsewhere])


@both
def test_the_author(work: Worktree, monkeypatch: pytest.MonkeyPatch, commit: Commit) -> None:
    """The author is the configured one, and the environment's where it names one."""
    work.git("config", "user.name", "Röbi")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ci@example.com")

    revision = commit(work)

    assert work.git("log", "-1", "--format=%an %ae, %cn %ce", revision) == (
        "Röbi ci@example.com, Röbi tester@example.com"
    )


@both
def test_a_signature(work: Worktree, commit: Commit) -> None:
    """Where commits are to be signed, ours are, and git finds the signature good."""
    key = work.path.parent / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signers = work.path.parent / "signers"
    signers.write_text(f"tester@example.com {key.with_suffix('.pub').read_text()}")
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingKey", f"{key}.pub"),
        ("gpg.ssh.allowedSignersFile", str(signers)),
        ("commit.gpgSign", "true"),
        ("log.showSignature", "true"),
    ):
        work.git("config", name, value)

    before = work.git("rev-parse", "HEAD")
    revision = commit(work)

    assert work.git("log", "-1", "--no-show-signature", "--format=%G? %GS", revision) == "G tester@example.com"
    assert Repository(work.root).list_trailers(before, revision, "Jsorc-Source") == ["x"]


@both
def test_no_signature(work: Worktree, commit: Commit) -> None:
    """Where commits are not to be signed, they are not."""
    assert work.git("log", "-1", "--format=%G?", commit(work)) == "N"


@both
def test_a_signature_that_cannot_be_made(work: Worktree, commit: Commit) -> None:
    """Without the key there is no commit, rather than an unsigned one, and nothing is changed."""
    work.git("config", "gpg.format", "ssh")
    work.git("config", "user.signingKey", "/nowhere/key.pub")
    work.git("config", "commit.gpgSign", "true")
    work.write({"rendered/a": "2"})
    before = work.snapshot()

    message = complaint(lambda: commit(work))

    assert message.startswith("git refused the commit: ")
    assert "/nowhere/key.pub" in message
    assert work.snapshot() == before

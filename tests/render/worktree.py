"""Folders and real git repositories in temporary places, written to as a person would."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def put(root: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder, with the folders they need."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def spell(root: Path) -> dict[str, str]:
    """All that lies below a folder: links with their targets, files with their texts, folders."""
    return {path.relative_to(root).as_posix(): _spell_one(path) for path in sorted(root.rglob("*"))}


def _spell_one(path: Path) -> str:
    if path.is_symlink():
        return f"→ {path.readlink()}"
    return path.read_text(encoding="utf-8") if path.is_file() else "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All of a work tree that a run could change; two of them are equal where it changed nothing."""

    files: dict[str, bytes]
    status: str
    index: str
    staged: str
    branches: str


class Worktree:
    """A work tree with a git repository around it; `folder` is the part of it that holds jsorc.yaml.

    `options` are those of git init.
    """

    def __init__(self, path: Path, *, folder: str = ".", options: Sequence[str] = ()) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.root = path / folder
        self.root.mkdir(parents=True, exist_ok=True)
        if not (path / ".git").exists():
            self.git("init", "--quiet", *options)

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def write(self, files: Mapping[str, str]) -> None:
        """Write files below the root."""
        put(self.root, files)

    def commit(self, files: Mapping[str, str] | None = None, message: str = "by hand") -> str:
        """Write files, commit all there is, return the commit."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def add_hook(self, name: str, script: str) -> None:
        hook = self.path / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        hook.chmod(0o755)

    def list_commits(self) -> list[str]:
        """The subjects of all commits, the newest first."""
        return self.git("log", "--format=%s").splitlines()

    def list_committed(self) -> dict[str, str]:
        """What the last commit changed: path → A, M or D."""
        listing = self.git("show", "--format=", "--name-status", "--no-renames", "HEAD")
        return {path: letter for letter, _, path in (line.partition("\t") for line in listing.splitlines())}

    def snapshot(self) -> Snapshot:
        paths = (path for path in self.path.rglob("*") if path.is_file() and ".git" not in path.parts)
        return Snapshot(
            files={path.relative_to(self.path).as_posix(): path.read_bytes() for path in paths},
            status=self.git("status", "--porcelain", "--untracked-files=all"),
            index=self.git("ls-files", "--stage"),
            staged=self.git("diff", "--cached"),
            branches=self.git("for-each-ref", "refs/heads"),
        )

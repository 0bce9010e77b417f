"""Git's objects in bulk: the files of a commit, and a commit made without a work tree."""

from collections.abc import Collection, Mapping

from jsorc_gitops.adapters.git_command import Git
from jsorc_gitops.errors import TreeError

_LINK, _SUBMODULE = b"120000", b"160000"


class Blobs:
    """The files below a folder of a commit: the ids of what they hold, by path, and the texts on demand."""

    def __init__(self, git: Git, revision: str, folder: str) -> None:
        """List them; raise TreeError where one is no regular file."""
        self._git = git
        self.oids = _list_oids(git, revision, folder)

    def read(self, paths: Collection[str]) -> dict[str, str]:
        """The texts of these files, by path, through one process."""
        blobs = _read_blobs(self._git, [self.oids[path] for path in paths])
        return {path: blob.decode(errors="replace") for path, blob in zip(paths, blobs, strict=True)}


def _list_oids(git: Git, revision: str, folder: str) -> dict[str, str]:
    listing = git.read("ls-tree", "-r", "-z", "--full-tree", revision, "--", folder)
    oids: dict[str, str] = {}
    for entry in listing.split(b"\0")[:-1]:
        words, _, name = entry.partition(b"\t")
        mode, _, oid = words.split()
        path = name.decode(errors="replace")
        if mode in {_LINK, _SUBMODULE}:
            raise TreeError(f"{path} at {revision[:12]} is a symbolic link or a submodule")
        if path == folder:
            raise TreeError(f"{path} at {revision[:12]} is no folder")
        oids[path.removeprefix(f"{folder}/")] = oid.decode()
    return dict(sorted(oids.items()))


def write_commit(
    git: Git, files: Mapping[str, str], removed: Collection[str], *, parent: str, message: str
) -> str:
    """A commit that changes only these paths of `parent`, or of nothing; no branch has it yet.

    Author and signing are as git is configured. Thousands of files take one process and go into one pack.
    """
    # The stream ends by deleting its own branch, which therefore never comes to be.
    nothing = b"0" * len(git.run("rev-parse", "HEAD"))
    stream = [b"commit refs/jsorc/scratch\nmark :1\ncommitter jsorc <> 0 +0000\ndata 0\n"]
    stream += [f"from {parent}\n".encode()] if parent else []
    stream += [f"D {path}\n".encode() for path in removed]
    for path, text in files.items():
        body = text.encode()
        stream.append(f"M 100644 inline {path}\ndata {len(body)}\n".encode() + body + b"\n")
    stream.append(b"reset refs/jsorc/scratch\nfrom " + nothing + b"\n\nget-mark :1\ndone\n")
    scratch = git.read("fast-import", "--quiet", "--done", feed=b"".join(stream)).decode()
    signing = ["-S"] if git.run("config", "--type=bool", "--default=false", "commit.gpgSign") == "true" else []
    parents = ["-p", parent] if parent else []
    return git.run("commit-tree", *signing, *parents, "-F", "-", f"{scratch}^{{tree}}", feed=message)


def _read_blobs(git: Git, oids: Collection[str]) -> list[bytes]:
    """The contents, in order, through one process."""
    if not oids:
        return []
    output = git.read("cat-file", "--batch", "--buffer", feed="".join(f"{oid}\n" for oid in oids).encode())
    blobs = []
    start = 0
    for _ in oids:
        end = output.index(b"\n", start)
        size = int(output[start:end].rpartition(b" ")[2])
        blobs.append(output[end + 1 : end + 1 + size])
        start = end + 1 + size + 1
    return blobs

"""What Python definitions were made from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What Python definitions were made from, beside their interpreter's own packages.

    `files` are those that were read or imported, and folders (with "/" at the end) that were listed;
    `searched` are folders where modules were looked for. What lies below the repository is spelled from its
    root. Not `complete` where the network or another program was asked.
    """

    files: frozenset[str] = frozenset()
    searched: frozenset[str] = frozenset()
    complete: bool = True

    def __or__(self, other: "Sources") -> "Sources":
        return Sources(
            files=self.files | other.files,
            searched=self.searched | other.searched,
            complete=self.complete and other.complete,
        )

"""What render says of commits: the trailers it writes, a commit as others read it, what became of a push."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

SOURCE_TRAILER = "Jsorc-Source"  # the commit the definitions came from
DIGEST_TRAILER = "Jsorc-Digest"  # of the tree's meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit of the history, as far as it says whose it is."""

    revision: str
    parents: int
    subject: str
    trailers: Mapping[str, tuple[str, ...]]
    strays: bool  # it changes files outside of our rendered/


class PushState(StrEnum):
    """What the server answered to one push of one branch."""

    PUSHED = "pushed"
    UP_TO_DATE = "up to date"
    REJECTED = "rejected"  # it may be behind, or be refused: only a fetch can tell


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOutcome:
    """What became of a push; `words` are git's and the server's."""

    state: PushState
    words: str

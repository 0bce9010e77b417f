"""One thing that a change of the tree would do to a cluster, and who may allow it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from jsorc_gitops.model.objects import ObjectRef

IMMUTABLE = "immutable"  # the server refuses to change this field
LEFTOVER = "leftover"  # a default of the server's stays beside the new value, which excludes it: refused, too
SHRINK = "shrink"  # the server refuses to make a volume smaller
REMOVE = "remove"  # deleted
MOVE = "move"  # made anew in another namespace, and deleted where it was
NOTE = "note"  # destroys nothing and needs no consent, but somebody should know

RULES = (REMOVE, MOVE, SHRINK, IMMUTABLE, LEFTOVER, NOTE)  # in the order they are told


ANEW = (
    "the server refuses to change it; delete the object first, so that it is made anew, or give it another name"
)
RECREATE = ", or say `recreate: allow` in its service.yaml"  # what may be added to that
UNSEEN = "git left it to the server so far, which refuses any other value than the one it took"


class Finding(NamedTuple):
    """What a rule found on one object."""

    rule: str
    path: str
    before: Any
    after: Any
    message: str = ANEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """What the cluster will refuse or destroy, or a note. `path` is "" where it is about the whole object.

    `before` and `after` are the values in git, None where there is none, and for all that a Secret holds.
    """

    rule: str
    ref: ObjectRef
    service: str
    path: str = ""
    message: str
    before: Any = None
    after: Any = None


def allowed(danger: Danger, allow: Collection[str]) -> bool:
    """Whether one of `allow` names its rule, its object (Kind/namespace/name) or its service; notes always."""
    return danger.rule == NOTE or not {danger.rule, str(danger.ref), danger.service or None}.isdisjoint(allow)

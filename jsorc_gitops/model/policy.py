"""What a service allows `jsorc reconcile` to do with its objects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsorc_gitops.model.fields import Fields

KEYS = ("adopt", "conflicts", "recreate")
VERDICTS = ("take", "yield", "fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPolicy:
    """`adopt`: take over objects that exist already. `recreate`: delete and make anew what cannot be changed.

    `conflicts` maps a field's path, spelled as the API server spells it (.spec.replicas), to one of VERDICTS;
    it speaks for the fields below that path, too.
    """

    adopt: bool = False
    recreate: bool = False
    conflicts: Mapping[str, str] = field(default_factory=dict)

    def find_verdict(self, path: str) -> str:
        """The verdict for a field, of the longest path that covers it; "" where none does."""
        covering = [each for each in self.conflicts if path == each or path.startswith((f"{each}.", f"{each}["))]
        return self.conflicts[max(covering, key=len)] if covering else ""


DEFAULT = ApplyPolicy()


def parse_policy(fields: Fields) -> ApplyPolicy:
    """The policy in a service.yaml; raises the error of the fields."""
    return ApplyPolicy(
        adopt=_choose(fields, "adopt", ("refuse", "allow")) == "allow",
        recreate=_choose(fields, "recreate", ("never", "allow")) == "allow",
        conflicts=_parse_conflicts(fields),
    )


def format_policy(policy: ApplyPolicy) -> dict[str, Any]:
    """The policy as JSON data, without what is the default anyway."""
    said: dict[str, Any] = {}
    if policy.adopt:
        said["adopt"] = "allow"
    if policy.recreate:
        said["recreate"] = "allow"
    if policy.conflicts:
        said["conflicts"] = dict(policy.conflicts)
    return said


def read_policy(data: Mapping[str, Any]) -> ApplyPolicy:
    """What format_policy has written."""
    return ApplyPolicy(
        adopt=data.get("adopt") == "allow",
        recreate=data.get("recreate") == "allow",
        conflicts=data.get("conflicts", {}),
    )


def _parse_conflicts(fields: Fields) -> dict[str, str]:
    below = fields.below("conflicts")
    if below is None:
        return {}
    return {
        path if path.startswith(".") else f".{path}": _choose(below, path, VERDICTS) for path in below.mapping
    }


def _choose(fields: Fields, key: str, words: tuple[str, ...]) -> str:
    word = fields.text(key, words[0])
    if word not in words:
        fields.fail(f"must be {', '.join(words[:-1])} or {words[-1]}, not {word!r}", key)
    return word

"""What the lint says of one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import ObjectRef


class Rule(StrEnum):
    """The rules, by the names they have in docs/lint.md."""

    IDENTITY = "identity"
    LIST = "list"
    DUPLICATE = "duplicate"
    NOT_SERVED = "not-served"
    UNKNOWN_FIELD = "unknown-field"
    MISSING_FIELD = "missing-field"
    WRONG_VALUE = "wrong-value"
    REPEATED_ITEM = "repeated-item"
    SET_BY_SERVER = "set-by-server"
    TOO_LARGE = "too-large"
    SELECTOR = "selector"
    SUBJECT_NAMESPACE = "subject-namespace"
    PLAIN_SECRET = "plain-secret"  # noqa: S105 - the name of a rule
    NOT_DETERMINISTIC = "not-deterministic"
    SHARED_IDENTITY = "shared-identity"
    SELECTS_NOTHING = "selects-nothing"
    NO_TARGET = "no-target"
    IMAGE_TAG = "image-tag"
    UNCHECKED = "unchecked"


_WARNINGS = frozenset({Rule.SELECTS_NOTHING, Rule.NO_TARGET, Rule.IMAGE_TAG, Rule.UNCHECKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with an object, or that may be.

    `where` is the file and document it was read from, `path` the field ("" where it is the whole object).
    """

    where: str
    ref: ObjectRef
    path: str
    message: str
    rule: Rule

    @property
    def severity(self) -> Literal["error", "warning"]:
        return "warning" if self.rule in _WARNINGS else "error"

    def __str__(self) -> str:
        """Spell it as `templates/redis/redis.yaml.j2 document 2: Service/jaseci/redis: spec.type: is missing`."""
        return ": ".join(part for part in (self.where, str(self.ref), self.path, self.message) if part)


class FindingsError(DefinitionError):
    """Findings that end a run, a line for each."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)

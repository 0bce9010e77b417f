"""The comparison of trees with earlier ones, as text and as JSON; as a comment on a pull request: comment.py.

The whole document around the JSON: outcome.py.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jsorc_gitops.model.diff import Action, FieldDiff, ObjectDiff, diff_objects
from jsorc_gitops.model.masks import mask_manifests
from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.render.changes import ServiceChange, summarize_diffs
from jsorc_gitops.render.danger import NOTE, Danger, allowed
from jsorc_gitops.render.impact import compute_impact
from jsorc_gitops.render.wording import clean_text, format_diff, format_short


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a tree changes since the revision `against`: in full, in few words, and as done to a cluster.

    `against` is "" where it is beside files that belong to no commit.
    """

    tree: str
    against: str
    diffs: tuple[ObjectDiff, ...]
    changes: tuple[ServiceChange, ...]
    dangers: tuple[Danger, ...]


def compute_comparison(
    old: Mapping[ObjectRef, Manifest],
    new: Mapping[ObjectRef, Manifest],
    *,
    tree: str,
    against: str,
    mask_key: bytes,
) -> Comparison:
    """Compare two trees; what their Secrets hold is masked with the key."""
    diffs = diff_objects(mask_manifests(old, mask_key), mask_manifests(new, mask_key))
    return Comparison(
        tree=tree,
        against=against,
        diffs=diffs,
        changes=summarize_diffs(diffs, old, new),
        dangers=compute_impact(old, new),
    )


def find_refused(comparisons: Sequence[Comparison], allow: Collection[str]) -> tuple[Danger, ...]:
    """The dangers that nothing allows."""
    return tuple(each for one in comparisons for each in one.dangers if not allowed(each, allow))


def count_actions(comparisons: Sequence[Comparison]) -> dict[str, int]:
    """How many objects are added, changed and removed."""
    counts = Counter(each.action for one in comparisons for each in one.diffs)
    return {action.value: counts[action] for action in Action}


def format_counts(comparisons: Sequence[Comparison]) -> str:
    """'1 added, 2 changed'."""
    told = [f"{number} {action}" for action, number in count_actions(comparisons).items() if number]
    return ", ".join(told) or "no object changes"


def grade_danger(danger: Danger, allow: Collection[str]) -> str:
    """'danger', 'allowed' or 'note'."""
    if danger.rule == NOTE:
        return NOTE
    return "allowed" if allowed(danger, allow) else "danger"


def format_danger(danger: Danger) -> str:
    """'spec.selector.matchLabels.app: a → b: the server refuses …', on one line."""
    parts = [clean_text(danger.path)] if danger.path else []
    if danger.before is not None or danger.after is not None:
        sides = ("nothing" if each is None else format_short(each) for each in (danger.before, danger.after))
        parts.append(" → ".join(sides))
    return ": ".join([*parts, clean_text(danger.message)])


def format_text(comparisons: Sequence[Comparison], *, allow: Collection[str], whole: bool) -> list[str]:
    """All comparisons as lines; `whole` tells every field with its values, else it is a line for each object."""
    lines = []
    for one in comparisons:
        lines.append(f"{one.tree} against {clean_text(one.against)}: {format_counts([one])}")
        for each in one.dangers:
            where = clean_text(str(each.ref))
            lines.append(f"  {grade_danger(each, allow)} {each.rule}: {where}: {format_danger(each)}")
        for change, diffs in group_services(one):
            lines.append(change.service or "tree")
            if whole:
                lines += [line for diff in diffs for line in format_diff(diff)]
            else:
                lines += [f"  {line}" for line in change.lines]
    if refused := find_refused(comparisons, allow):
        lines.append(f"{len(refused)} not allowed; --allow takes a rule, an object or a service, as named above")
    dangers = [each for one in comparisons for each in one.dangers if each.rule != NOTE]
    idle = [each for each in allow if not any(allowed(danger, [each]) for danger in dangers)]
    lines += [f"--allow {clean_text(each)} allows nothing here" for each in idle]
    return lines


def make_comparison(comparison: Comparison, allow: Collection[str]) -> dict[str, Any]:
    """A comparison as JSON has it; the shape stands in docs/json.md."""
    return {
        "tree": comparison.tree,
        "against": comparison.against or None,
        "counts": count_actions([comparison]),
        "dangers": [_make_danger(each, allow) for each in comparison.dangers],
        "objects": [_make_object(each) for each in comparison.diffs],
    }


def group_services(comparison: Comparison) -> list[tuple[ServiceChange, list[ObjectDiff]]]:
    """Each service that changes, with its objects."""
    groups = (list(group) for _, group in groupby(comparison.diffs, key=lambda each: each.service))
    return list(zip(comparison.changes, groups, strict=True))


def _make_danger(danger: Danger, allow: Collection[str]) -> dict[str, Any]:
    return {
        "rule": danger.rule,
        "allowed": allowed(danger, allow),
        "service": danger.service,
        "object": danger.ref._asdict(),
        "path": danger.path,
        "message": danger.message,
        "before": danger.before,
        "after": danger.after,
    }


def _make_object(diff: ObjectDiff) -> dict[str, Any]:
    return {
        "action": diff.action.value,
        "service": diff.service,
        "object": diff.ref._asdict(),
        "fields": [_make_field(each) for each in diff.fields],
    }


def _make_field(field: FieldDiff) -> dict[str, Any]:
    return {
        "path": field.spelled,
        "before": field.before,
        "after": field.after,
        "reordered": field.reordered,
    }

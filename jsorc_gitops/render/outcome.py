"""What a run of `jsorc render` came to, as one JSON document; its shape stands in docs/json.md."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from jsorc_gitops.errors import JsorcError
from jsorc_gitops.model.diff import diff_objects
from jsorc_gitops.model.layout import FOLDER, Files, TreeDiff, is_ours
from jsorc_gitops.model.masks import mask_manifests
from jsorc_gitops.render.changes import summarize_diffs
from jsorc_gitops.render.delivery import Delivery
from jsorc_gitops.render.findings import Finding, FindingsError
from jsorc_gitops.render.notes import find_gone_trees
from jsorc_gitops.render.publish import Rendering, diff_meaning, read_touched
from jsorc_gitops.render.report import Comparison, find_refused, make_comparison

VERSION = 1

# What Python makes of a byte in a file's name that is no UTF-8.
_NO_CHARACTER = re.compile("[\ud800-\udfff]")
_NO_FILES = TreeDiff(added=(), changed=(), removed=())


class Result(StrEnum):
    """What came of it, in one word."""

    UNCHANGED = "unchanged"
    DIFFERENT = "different"  # and nothing was to be written
    WRITTEN = "written"
    COMMITTED = "committed"
    REFUSED = "refused"  # by an error, or because of a danger


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A render commit that was made."""

    revision: str
    branch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that there is to tell; what a run did not come to is empty."""

    result: Result = Result.UNCHANGED
    rendering: Rendering | None = None
    comparisons: tuple[Comparison, ...] = ()
    allow: Collection[str] = ()
    files: TreeDiff = _NO_FILES
    error: JsorcError | None = None
    commit: Commit | None = None
    push: Delivery | None = None


def compare_files(
    rendering: Rendering, before: Files, *, against: str, mask_key: bytes
) -> tuple[Comparison, ...]:
    """Each tree beside `before`, what `rendering` was compared with; only files that differ are read.

    What a cluster would say of it is not looked for.
    """
    comparisons = []
    for tree in sorted({*find_gone_trees(rendering.diff), *rendering.trees}):
        old, new = read_touched(tree, rendering.trees, before, rendering.diff)
        diffs = diff_objects(mask_manifests(old, mask_key), mask_manifests(new, mask_key))
        changes = summarize_diffs(diffs, old, new)
        comparisons.append(Comparison(tree=tree, against=against, diffs=diffs, changes=changes, dangers=()))
    return tuple(comparisons)


def diff_revision(rendering: Rendering, files: Files) -> TreeDiff:
    """The files that `rendering` has otherwise than a revision's rendered/, where that is jsorc's."""
    theirs = {path: text for path, text in files.items() if path.startswith(rendering.folders)}
    return diff_meaning({path: text for path, text in theirs.items() if is_ours(path, text)}, rendering.files)


def format_outcome(outcome: Outcome) -> str:
    """The document, with every key whatever the run was for, and with U+FFFD for what is no character."""
    rendering = outcome.rendering
    trees = rendering.trees if rendering else {}
    compared = {each.tree: each for each in outcome.comparisons}
    document = {
        "version": VERSION,
        "outcome": outcome.result.value,
        "allowed": None if outcome.error else not find_refused(outcome.comparisons, outcome.allow),
        "trees": [
            {
                **make_comparison(
                    compared.get(tree, Comparison(tree=tree, against="", diffs=(), changes=(), dangers=())),
                    outcome.allow,
                ),
                "total": len(trees.get(tree, ())),
            }
            for tree in sorted({*trees, *compared})
        ],
        "files": {
            action: [f"{FOLDER}/{path}" for path in paths] for action, paths in asdict(outcome.files).items()
        },
        "warnings": _make_warnings(rendering) if rendering else [],
        "errors": _make_errors(outcome.error) if outcome.error else [],
        "commit": asdict(outcome.commit) if outcome.commit else None,
        "push": _make_push(outcome.push) if outcome.push else None,
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return _NO_CHARACTER.sub("\ufffd", text)


def _make_warnings(rendering: Rendering) -> list[Mapping[str, Any]]:
    told = rendering.warnings[len(rendering.findings) :]
    findings = [_make_finding(each) for each in rendering.findings]
    return findings + [_make_message("warning", message) for message in told]


def _make_errors(error: JsorcError) -> list[Mapping[str, Any]]:
    if isinstance(error, FindingsError):
        return [_make_finding(each) for each in error.findings]
    return [_make_message("error", str(error))]


def _make_finding(finding: Finding) -> Mapping[str, Any]:
    return {
        "severity": finding.severity,
        "rule": finding.rule.value,
        "where": finding.where,
        "object": finding.ref._asdict(),
        "path": finding.path,
        "message": finding.message,
    }


def _make_message(severity: str, message: str) -> Mapping[str, Any]:
    """What is no finding about an object: its message has all there is."""
    return {"severity": severity, "rule": None, "where": None, "object": None, "path": "", "message": message}


def _make_push(push: Delivery) -> Mapping[str, Any]:
    return {"outcome": push.ending.value, "place": push.place, "revision": push.revision}

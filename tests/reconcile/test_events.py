"""events: a pass as JSON, in the shape that docs/json.md promises."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError, JsorcError, LeaseHeldError
from jsorc_gitops.reconcile.events import make_events, make_message, make_summary
from jsorc_gitops.reconcile.health import Status
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.report import Ending, Report
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.schema import check_events
from tests.reconcile.test_report import BUSY, CALM, health, result, verdict

WHERE: dict[str, Any] = {"revision": "0123456789" * 4, "tree": "default", "server": "https://one:6443"}
EVERYTHING = replace(
    BUSY,
    objects=(*BUSY.objects, *(result(action, reason="r", note="n") for action in Action)),
    healths=tuple(health(status) for status in Status),
    services=tuple(verdict(each, reason="r") for each in Verdict),
    **WHERE,
)
QUIET = replace(CALM, **WHERE)


def make_ending(code: int) -> Ending:
    return Ending(exit_code=code, seconds=0.5, at=datetime(2026, 11, 26, 12, tzinfo=UTC))


def tell(report: Report, *, quiet: bool, code: int | None = None) -> list[Any]:
    """All events, as a reader has them."""
    ending = make_ending(report.exit_code if code is None else code)
    events = [*make_events(report, quiet=quiet), make_summary(report, ending)]
    return [json.loads(json.dumps(each)) for each in events]


@pytest.mark.parametrize("report", [EVERYTHING, QUIET, replace(QUIET, dry_run=True)], ids=["all", "calm", "dry"])
def test_the_schema(report: Report) -> None:
    """Whatever happens, each line is as the page says."""
    check_events(tell(report, quiet=False))
    check_events(tell(report, quiet=True))


def test_a_changed_field() -> None:
    """Spelled as render spells it, with both values and whose hand it was."""
    [event] = [each for each in tell(EVERYTHING, quiet=True) if each.get("fields")]
    assert event["object"] == {"group": "", "kind": "ConfigMap", "namespace": "home", "name": "redis"}
    assert event["fields"][:2] == [
        {"path": "data.max", "before": "drift", "after": "1gb", "by": "kubectl-edit"},
        {"path": "data.new", "before": None, "after": "1", "by": None},
    ]


def test_what_is_as_it_should_be() -> None:
    """Left out quietly, but for the summary, which counts it."""
    told, all_told = tell(QUIET, quiet=True), tell(QUIET, quiet=False)
    assert [each["event"] for each in told] == ["summary"]
    assert [each["event"] for each in all_told] == ["object", "health", "service", "service", "summary"]
    assert (told[0]["counts"]["unchanged"], told[0]["total"], told[0]["failed"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("outcome", "parts"),
    [
        ("unchanged", {"objects": (result(Action.UNCHANGED),)}),
        ("changed", {"objects": (result(Action.CREATE),)}),
        ("different", {"objects": (result(Action.CREATE),), "dry_run": True}),
        ("unchanged", {"objects": (result(Action.UNCHANGED),), "dry_run": True}),
        ("refused", {"objects": (result(Action.CREATE), result(Action.REFUSE))}),
        ("refused", {"objects": (result(Action.CREATE),), "errors": ("12 objects would go",), "dry_run": True}),
        ("failing", {"healths": (health(Status.FAILED),)}),
    ],
)
def test_the_outcome(outcome: str, parts: dict[str, Any]) -> None:
    """In one word, which goes with the exit code."""
    assert tell(Report(**WHERE, **parts), quiet=True)[-1]["outcome"] == outcome


@pytest.mark.parametrize(
    ("error", "outcome"), [(ClusterError("no answer"), "refused"), (LeaseHeldError("somebody"), "held")]
)
def test_an_error_that_ends_a_pass(error: JsorcError, outcome: str) -> None:
    """It is an event like any other, and there is a summary all the same."""
    events = [
        make_message("error", str(error)),
        make_summary(Report(revision=""), make_ending(error.exit_code), error),
    ]
    check_events(events)
    assert (events[-1]["outcome"], events[-1]["exitCode"]) == (outcome, error.exit_code)
    assert (events[-1]["tree"], events[-1]["total"]) == (None, 0)


def test_a_verdict_that_changed_is_told_quietly_too() -> None:
    """Who heard that it is progressing hears that it is current."""
    report = replace(QUIET, objects=(), healths=(health(Status.CURRENT),), services=())
    assert [*make_events(report, quiet=True)] == []
    (event,) = make_events(report, quiet=True, known={report.healths[0][1].ref})
    assert event["status"] == "current"

"""metrics: a pass in Prometheus' text format."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jsorc_gitops.reconcile.health import Status
from jsorc_gitops.reconcile.metrics import format_metrics
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.report import Ending, Report
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.exposition import Samples, parse_gauges
from tests.reconcile.test_report import BUSY, health, result, verdict

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 26, 13, tzinfo=UTC)
FLEET = {"repository": "fleet", "tree": "default"}


def make_text(report: Report | None, *, code: int = 0, at: datetime = NOON, before: str = "") -> str:
    return format_metrics(report, Ending(exit_code=code, seconds=0.5, at=at), labels=FLEET, before=before)


def measure(report: Report | None, *, code: int = 0, at: datetime = NOON, before: str = "") -> Samples:
    return parse_gauges(make_text(report, code=code, at=at, before=before))


def find(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted({**FLEET, **labels}.items()))]


def test_the_format() -> None:
    """Every line of a busy pass is in the format and named by its conventions; every sample says whose it is."""
    samples = measure(BUSY, code=1)
    assert {name for name, _ in samples} == {
        "jsorc_last_pass_timestamp_seconds",
        "jsorc_last_success_timestamp_seconds",
        "jsorc_pass_duration_seconds",
        "jsorc_exit_code",
        "jsorc_objects",
        "jsorc_failed_objects",
        "jsorc_pass_requests",
        "jsorc_service_health",
        "jsorc_service_verdict",
    }
    assert all(set(FLEET.items()) <= set(labels) for _, labels in samples)


def test_what_a_pass_did() -> None:
    """Counted by action, those that were not used too, so that a series does not come and go."""
    samples = measure(BUSY, code=1)
    counts = {each: find(samples, "jsorc_objects", action=each) for each in ("create", "adopt", "prune")}
    assert counts == {"create": 2, "adopt": 1, "prune": 0}
    assert find(samples, "jsorc_failed_objects") == 2
    assert find(samples, "jsorc_pass_requests", server="kubernetes") == 34
    assert find(samples, "jsorc_pass_requests", server="jaseci") == 5
    assert find(samples, "jsorc_pass_duration_seconds") == 0.5
    assert find(samples, "jsorc_exit_code") == 1


def test_health() -> None:
    """A service is as its worst workload is; exactly one of the states is 1."""
    report = replace(
        BUSY,
        healths=(health(Status.CURRENT), health(Status.FAILED), health(Status.PROGRESSING)),
        services=(verdict(Verdict.WAITING),),
    )
    samples = measure(report, code=4)
    states = {each.value: find(samples, "jsorc_service_health", service="redis", status=each) for each in Status}
    verdicts = [each for each in Verdict if find(samples, "jsorc_service_verdict", service="redis", verdict=each)]
    assert states == {"failed": 1, "current": 0, "progressing": 0, "unknown": 0}
    assert verdicts == [Verdict.WAITING]


@pytest.mark.parametrize("code", [1, 3, 4, 5])
def test_a_pass_that_failed(code: int) -> None:
    """It is told when the last one succeeded, which the file knows from before; 0 where none did."""
    first = make_text(Report(revision=""))
    failed = make_text(None, code=code, at=LATER, before=first)
    again = measure(None, code=code, at=LATER, before=failed)

    assert find(again, "jsorc_last_success_timestamp_seconds") == NOON.timestamp()
    assert find(again, "jsorc_last_pass_timestamp_seconds") == LATER.timestamp()
    assert find(again, "jsorc_exit_code") == code
    assert find(measure(None, code=code), "jsorc_last_success_timestamp_seconds") == 0
    assert "jsorc_objects" not in {name for name, _ in again}


def test_a_pass_that_succeeds_again() -> None:
    """Its own time counts, whatever the file held."""
    before = make_text(None, code=1)
    samples = measure(Report(revision="", objects=(result(Action.CREATE),)), at=LATER, before=before)
    assert find(samples, "jsorc_last_success_timestamp_seconds") == LATER.timestamp()


@pytest.mark.parametrize("before", ["", "\n", "nonsense", "jsorc_last_success_timestamp_seconds x\n", "\x00"])
def test_a_file_that_was_none(before: str) -> None:
    """Whatever lay there, what is written is right."""
    assert find(measure(None, code=1, before=before), "jsorc_last_success_timestamp_seconds") == 0


def test_names_that_need_escapes() -> None:
    """A folder may be called anything."""
    name = 'a "b"\\n\nc}'
    text = format_metrics(None, Ending(exit_code=0, seconds=1, at=NOON), labels={"repository": name}, before="")
    assert parse_gauges(text)["jsorc_exit_code", (("repository", name),)] == 0

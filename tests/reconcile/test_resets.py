"""resets: which Jaseci services are reset, in which order, and what is said of the others."""

from typing import Any

import pytest

from jsorc_gitops.errors import TreeError
from jsorc_gitops.model.jaseci import Answer, ServiceState
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.resets import (
    ServiceVerdict,
    Verdict,
    check_dependencies,
    check_pods,
    judge_answer,
    judge_reset,
    list_resettable,
    make_order,
    tell_before,
)
from tests.reconcile.builders import make_record, make_ref

WEB = make_ref("Deployment", "web", group="apps")
DATABASE = make_ref("StatefulSet", "database", group="apps")


def index(*records: ServiceRecord) -> dict[str, ServiceRecord]:
    return {record.name: record for record in records}


def waves(records: dict[str, ServiceRecord]) -> list[set[str]]:
    """Who goes side by side, wave by wave."""
    order, found = make_order(records), []
    while order.is_active():
        wave = order.get_ready()
        found.append({*wave})
        order.done(*wave)
    return found


def test_what_others_depend_on_comes_first() -> None:
    """Whatever their names, and along a chain; what does not depend on each other goes together."""
    records = index(
        make_record("a", depends_on=("b",)),
        make_record("b", depends_on=("c",)),
        make_record("c"),
        make_record("d"),
    )
    assert waves(records) == [{"c", "d"}, {"b"}, {"a"}]


def test_a_circle_is_refused_by_its_names() -> None:
    """Render refuses it, too; somebody edited what it had written."""
    records = index(make_record("a", depends_on=("b",)), make_record("b", depends_on=("a",)))
    with pytest.raises(TreeError, match="dependsOn goes round in a circle: a → b → a; run jsorc render"):
        make_order(records)


@pytest.mark.parametrize(
    ("changed", "jaseci", "expected"),
    [
        ({}, True, ["redis"]),
        ({}, False, []),
        ({"via": "rollout"}, False, ["redis"]),
        ({"via": "none"}, True, []),
        ({"keep_alive": False}, True, []),
    ],
)
def test_what_may_be_reset(changed: dict[str, Any], expected: list[str], *, jaseci: bool) -> None:
    """What is kept alive; by Jaseci only where one is known."""
    assert list_resettable(index(make_record("redis", **changed)), jaseci=jaseci) == expected


def test_a_dependency_without_a_record_is_not_waited_for() -> None:
    """Its definition went, the record of its dependent was not rendered again yet."""
    assert waves(index(make_record("task", depends_on=("redis",)))) == [{"task"}]


def health(status: Status, ref: Any = WEB) -> dict[Any, Health]:
    return {ref: Health(ref=ref, status=status, message="the cause")}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (Status.CURRENT, None),
        (Status.PROGRESSING, Verdict.WAITING),
        (Status.FAILED, Verdict.WAITING),
        (Status.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_a_service_waits_for_its_pods(status: Status, verdict: Verdict | None) -> None:
    """Jaseci is not even asked before they are ready."""
    found = check_pods(make_record("web", watch=(WEB,)), health(status))
    assert (found and found.verdict) is verdict
    assert found is None or found.reason == "Deployment/home/web: the cause"


def test_every_watched_workload_must_be_ready() -> None:
    """One that is not is enough to wait."""
    healths = health(Status.CURRENT) | health(Status.PROGRESSING, DATABASE)
    found = check_pods(make_record("web", watch=(WEB, DATABASE)), healths)
    assert found
    assert found.reason.startswith("StatefulSet/home/database")


def test_a_workload_that_is_not_watched_is_not_waited_for() -> None:
    """An exporter beside the service decides on no reset."""
    record = make_record("web", workloads=(WEB, DATABASE), watch=(WEB,))
    assert check_pods(record, health(Status.CURRENT) | health(Status.PROGRESSING, DATABASE)) is None


def test_a_service_without_workloads_is_always_asked_about() -> None:
    """Like task, which lives inside Jaseci."""
    assert check_pods(make_record("task"), {}) is None


def verdict(service: str, kind: Verdict) -> dict[str, ServiceVerdict]:
    return {service: ServiceVerdict(service=service, verdict=kind)}


TASK = make_record("task", depends_on=("redis",))


@pytest.mark.parametrize("well", [Verdict.RUNNING, Verdict.RESET])
def test_a_dependency_that_runs_blocks_nothing(well: Verdict) -> None:
    """Also one that was reset a moment ago."""
    assert check_dependencies(TASK, verdict("redis", well)) is None


@pytest.mark.parametrize("ill", [each for each in Verdict if each not in {Verdict.RUNNING, Verdict.RESET}])
def test_a_dependency_that_does_not_run_blocks(ill: Verdict) -> None:
    """A reset of task without redis would fail for sure; the reason says for whom it waits."""
    blocked = check_dependencies(TASK, verdict("redis", ill))
    assert blocked == ServiceVerdict(service="task", verdict=Verdict.BLOCKED, reason=f"redis is {ill}")


def test_all_dependencies_that_do_not_run_are_named() -> None:
    """In one reason."""
    record = make_record("task", depends_on=("redis", "web", "mail"))
    verdicts = (
        verdict("redis", Verdict.FAILED) | verdict("web", Verdict.RUNNING) | verdict("mail", Verdict.UNKNOWN)
    )
    blocked = check_dependencies(record, verdicts)
    assert blocked
    assert blocked.reason == "redis is failed, mail is unknown"


def test_a_dependency_that_jsorc_does_not_reset_blocks_nothing() -> None:
    """Nothing is known of it."""
    assert check_dependencies(TASK, {}) is None


@pytest.mark.parametrize(
    ("state", "settled"),
    [
        (ServiceState.RUNNING, Verdict.RUNNING),
        (ServiceState.DISABLED, Verdict.DISABLED),
        (ServiceState.UNKNOWN, Verdict.UNKNOWN),
        (ServiceState.STOPPED, None),
        (ServiceState.FAILED, None),
    ],
)
def test_only_a_known_not_running_resets(state: ServiceState, settled: Verdict | None) -> None:
    """A disabled one is left alone, and an unknown one may be running well."""
    found = judge_answer(TASK, Answer(state=state, detail="why"))
    assert found == (ServiceVerdict(service="task", verdict=settled, reason="why") if settled else None)


WAS = "was failed (no connection)"


@pytest.mark.parametrize(
    ("refusal", "after", "kind", "reason"),
    [
        ("", Answer(state=ServiceState.RUNNING), Verdict.RESET, "was failed (no connection), verified running"),
        (
            "",
            Answer(state=ServiceState.FAILED, detail="still none"),
            Verdict.FAILED,
            "was failed (no connection), is failed after the reset: still none",
        ),
        (
            "",
            Answer(state=ServiceState.UNKNOWN),
            Verdict.FAILED,
            "was failed (no connection), is unknown after the reset",
        ),
        ("no rights", None, Verdict.FAILED, "was failed (no connection); no rights"),
    ],
    ids=["verified", "failed again", "not verified", "refused"],
)
def test_a_reset_counts_when_it_was_verified(
    refusal: str, after: Answer | None, kind: Verdict, reason: str
) -> None:
    """Jaseci says success for services that failed again, so only RUNNING read back is one."""
    assert judge_reset(TASK, WAS, refusal, after) == ServiceVerdict(service="task", verdict=kind, reason=reason)


@pytest.mark.parametrize(
    ("detail", "due", "told"),
    [
        ("", "", "was stopped"),
        ("why", "", "was stopped (why)"),
        ("", "redis was rolled out", "was stopped, redis was rolled out"),
    ],
)
def test_what_a_service_was_before(detail: str, due: str, told: str) -> None:
    """No empty brackets."""
    assert tell_before(Answer(state=ServiceState.STOPPED, detail=detail), due) == told


@pytest.mark.parametrize("kind", list(Verdict))
def test_what_is_bad(kind: Verdict) -> None:
    """Failed and unknown; waiting and blocked are on their way."""
    expected = kind in {Verdict.FAILED, Verdict.UNKNOWN}
    assert ServiceVerdict(service="task", verdict=kind).is_bad is expected

"""ledger: what is remembered of resets, as its ConfigMap."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from jsorc_gitops.errors import FormatError
from jsorc_gitops.reconcile.ledger import Ledger, LedgerEntry, Outcome, Pause, format_ledger, parse_ledger
from jsorc_gitops.reconcile.rollouts import Seen, SeenPod

LEDGER = Ledger(
    entries={
        "redis": LedgerEntry(outcome=Outcome.DONE, reason="was failed", at="2026-11-23T12:00:00+00:00"),
        "task": LedgerEntry(
            outcome=Outcome.PENDING,
            reason="",
            at="2026-11-23T12:00:01+00:00",
            failures=2,
            due="redis was rolled out",
            seen={"Deployment/home/task": Seen(uid="u", template="t", pods={"task-1": SeenPod("p", 3)})},
            automated=True,
            pause=Pause(reason="an incident", since="2026-11-23T12:00:00+00:00"),
        ),
        "web": LedgerEntry(seen={"DaemonSet/home/web": Seen(uid="u", template="")}),
    },
    resource_version="7",
)


def formatted(ledger: Ledger = LEDGER) -> dict[str, Any]:
    return format_ledger(ledger, tree="default", namespace="home")


def test_a_ledger_is_read_back_as_it_was_written() -> None:
    """Every outcome, what was seen of the workloads, and a service that was never reset."""
    assert parse_ledger(formatted()) == LEDGER


def test_the_ledger_before_the_first_reset_is_empty() -> None:
    """There is no ConfigMap, so there is no resourceVersion to insist on."""
    assert parse_ledger(None) == Ledger()
    assert "resourceVersion" not in formatted(Ledger())["metadata"]


def test_the_same_content_is_the_same_bytes() -> None:
    """Whatever the order in which it came together."""
    turned = Ledger(
        entries={name: LEDGER.entries[name] for name in ("web", "task", "redis")}, resource_version="7"
    )
    assert json.dumps(formatted(turned)) == json.dumps(formatted())


def test_the_ledger_is_a_config_map_of_its_tree() -> None:
    """One per tree, beside the state."""
    metadata = formatted()["metadata"]
    assert metadata == {"name": "jsorc.ledger.default", "namespace": "home", "resourceVersion": "7"}


def reset(**changed: Any) -> dict[str, Any]:
    """Of version 1."""
    entry = {"outcome": "done", "reason": "", "at": "2026-11-23T12:00:00+00:00", "failures": 0} | changed
    return {"version": 1, "resets": {"redis": entry}}


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "[]",
        "{}",
        json.dumps({"version": 1}),
        json.dumps({"version": 1, "resets": []}),
        json.dumps({"version": 2, "services": {"redis": {"outcome": "done"}}}),
        json.dumps({"version": 2, "services": {"redis": {"seen": {"Deployment/a/b": {}}}}}),
        json.dumps(
            {"version": 2, "services": {"redis": {"pause": {"reason": "", "since": "", "until": "soon"}}}}
        ),
        json.dumps({"version": 1, "resets": {"redis": "text"}}),
        json.dumps(reset(outcome="sideways")),
        None,
    ],
)
def test_a_broken_ledger_is_refused_by_name(content: str | None) -> None:
    """Resets are not guessed at."""
    body = formatted()
    body["data"]["ledger.json"] = content
    with pytest.raises(FormatError, match=r"ConfigMap home/jsorc\.ledger\.default cannot be read"):
        parse_ledger(body)


def test_a_newer_ledger_is_refused_and_both_versions_named() -> None:
    """A newer jsorc wrote it; what it means is not to be guessed."""
    body = formatted()
    body["data"]["ledger.json"] = json.dumps({"version": 3})
    with pytest.raises(FormatError, match="has version 3, this jsorc reads up to 2; use a newer jsorc"):
        parse_ledger(body)


def test_a_ledger_of_version_1_is_read() -> None:
    """It had resets and nothing else; what runs behind the services is a new baseline."""
    body = formatted()
    body["data"]["ledger.json"] = json.dumps(reset(reason="was failed", at="2026-11-23T12:00:00+00:00"))
    assert parse_ledger(body).entries == {"redis": LEDGER.entries["redis"]}


@pytest.mark.parametrize(
    ("until", "paused"),
    [("", True), ("2026-11-23T12:00:01+00:00", True), ("2026-11-23T12:00:00+00:00", False)],
)
def test_a_pause_ends_by_itself(until: str, *, paused: bool) -> None:
    """At the time that was given, else never."""
    entry = LedgerEntry(pause=Pause(reason="why", since="2026-11-23T11:00:00+00:00", until=until))
    assert entry.is_paused(datetime(2026, 11, 23, 12, tzinfo=UTC)) is paused
    assert not LedgerEntry().is_paused(datetime(2026, 11, 23, 12, tzinfo=UTC))

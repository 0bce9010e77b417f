"""What is remembered of services: one ConfigMap per tree, written before a reset and after it was verified."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from jsorc_gitops.errors import FormatError
from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.rollouts import Seen, SeenPod

VERSION = 2


class Outcome(StrEnum):
    """How the last reset of a service stands."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Why a service is left alone, since when and until when (RFC 3339; "" for until it is resumed)."""

    reason: str
    since: str
    until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One service.

    Of its last reset: the `outcome` (None before the first), the `reason`, when it was begun (`at`, RFC 3339),
    and how many `failures` there were in a row. `due` is why it is to be reset though it runs, "" for no reason;
    `seen` its watched workloads, by Kind/namespace/name, as they were last when all their pods were ready.
    `automated` says that the user was told that Jaseci resets it, too; `tried` is a digest of the config, as git
    has it, that was stored last, or was meant to be.
    """

    outcome: Outcome | None = None
    reason: str = ""
    at: str = ""
    failures: int = 0
    due: str = ""
    seen: Mapping[str, Seen] = field(default_factory=dict)
    automated: bool = False
    tried: str = ""
    pause: Pause | None = None

    def is_paused(self, now: datetime) -> bool:
        until = self.pause.until if self.pause else ""
        return self.pause is not None and not (until and datetime.fromisoformat(until) <= now)


NEW = LedgerEntry()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ledger of one tree; `resource_version` is "" for one that was never written."""

    entries: Mapping[str, LedgerEntry] = field(default_factory=dict)
    resource_version: str = ""

    def find(self, service: str) -> LedgerEntry:
        return self.entries.get(service, NEW)


def ledger_name(tree: str) -> str:
    return f"jsorc.ledger.{tree}"


def format_ledger(ledger: Ledger, *, tree: str, namespace: str) -> dict[str, Any]:
    """The ledger as its ConfigMap."""
    services = {name: _format_entry(each) for name, each in ledger.entries.items() if each != NEW}
    # Without spaces: it may hold thousands of pods, and a ConfigMap holds 1 MiB.
    content = {"version": VERSION, "tree": tree, "services": services}
    text = json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n"
    metadata = {"name": ledger_name(tree), "namespace": namespace}
    if ledger.resource_version:
        metadata["resourceVersion"] = ledger.resource_version
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ledger.json": text}}


def parse_ledger(body: Body | None) -> Ledger:
    """Read the ledger back; None is the ledger before the first reset. Raises FormatError."""
    if body is None:
        return Ledger()
    where = f"ConfigMap {body['metadata']['namespace']}/{body['metadata']['name']}"
    try:
        data = json.loads(body["data"]["ledger.json"])
        if data["version"] > VERSION:
            raise FormatError(
                f"{where} has version {data['version']}, this jsorc reads up to {VERSION}; use a newer jsorc"
            )
        # In version 1 there were resets and nothing else.
        rows = data["resets"] if data["version"] == 1 else data["services"]
        entries = {name: _parse_entry(each) for name, each in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{where} cannot be read; delete it, and the next pass begins a new one") from error
    return Ledger(entries=entries, resource_version=body["metadata"]["resourceVersion"])


def _format_entry(entry: LedgerEntry) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if entry.outcome:
        row |= {"outcome": entry.outcome, "reason": entry.reason, "at": entry.at, "failures": entry.failures}
    if entry.due:
        row["due"] = entry.due
    if entry.seen:
        row["seen"] = {
            name: {"uid": each.uid, "template": each.template, "pods": {k: [*v] for k, v in each.pods.items()}}
            for name, each in entry.seen.items()
        }
    if entry.automated:
        row["automated"] = True
    if entry.tried:
        row["tried"] = entry.tried
    if entry.pause:
        row["pause"] = {"reason": entry.pause.reason, "since": entry.pause.since, "until": entry.pause.until}
    return row


def _parse_entry(row: Mapping[str, Any]) -> LedgerEntry:
    seen = {
        name: Seen(
            uid=each["uid"],
            template=each["template"],
            pods={place: SeenPod(*pod) for place, pod in each["pods"].items()},
        )
        for name, each in row.get("seen", {}).items()
    }
    reset = {}
    if "outcome" in row:
        reset = {key: row[key] for key in ("reason", "at", "failures")} | {"outcome": Outcome(row["outcome"])}
        datetime.fromisoformat(reset["at"])
    pause = Pause(**row["pause"]) if "pause" in row else None
    if pause and pause.until and datetime.fromisoformat(pause.until).tzinfo is None:
        raise ValueError(pause.until)
    return LedgerEntry(
        **reset,
        due=row.get("due", ""),
        seen=seen,
        automated=row.get("automated", False),
        tried=row.get("tried", ""),
        pause=pause,
    )

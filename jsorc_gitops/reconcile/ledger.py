"""What is remembered of resets: one ConfigMap per tree, written before a reset and after it was verified."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jsorc_gitops.errors import FormatError
from jsorc_gitops.model.objects import Body

VERSION = 1


class Outcome(StrEnum):
    """How the last reset of a service stands."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """The last reset of one service. `at` is when it was begun (RFC 3339); `failures` counts those in a row."""

    outcome: Outcome
    reason: str
    at: str
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ledger of one tree; `resource_version` is "" for one that was never written."""

    entries: Mapping[str, LedgerEntry] = field(default_factory=dict)
    resource_version: str = ""


def ledger_name(tree: str) -> str:
    return f"jsorc.ledger.{tree}"


def format_ledger(ledger: Ledger, *, tree: str, namespace: str) -> dict[str, Any]:
    """The ledger as its ConfigMap."""
    resets = {
        name: {"outcome": each.outcome, "reason": each.reason, "at": each.at, "failures": each.failures}
        for name, each in ledger.entries.items()
    }
    text = json.dumps({"version": VERSION, "tree": tree, "resets": resets}, indent=2, sort_keys=True) + "\n"
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
        entries = {
            name: LedgerEntry(
                outcome=Outcome(each["outcome"]),
                reason=each["reason"],
                at=each["at"],
                failures=each["failures"],
            )
            for name, each in data["resets"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{where} cannot be read; delete it, and the next pass begins a new one") from error
    return Ledger(entries=entries, resource_version=body["metadata"]["resourceVersion"])

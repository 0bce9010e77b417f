"""What an object's status says by the conventions that most kinds keep to, Kubernetes' own and others.

The rules are those of kstatus: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jsorc_gitops.model.objects import Body
from jsorc_gitops.reconcile.evidence import Evidence, Finding, current, failed, progressing

UNSEEN = "its controller has not seen the last change yet"


def judge_deletion(live: Body, evidence: Evidence) -> Finding | None:
    """The verdict on what is being deleted, with what keeps it; None where it stays."""
    if not live["metadata"].get("deletionTimestamp"):
        return None
    kept = live["metadata"].get("finalizers") or (live.get("spec") or {}).get("finalizers") or ()
    # A Namespace says what is left in it, and which finalizers keep that.
    left = [
        evidence.quote(each.get("message"))
        for each in find_conditions(live)
        if each.get("type") in {"NamespaceContentRemaining", "NamespaceFinalizersRemaining"}
        and each.get("status") == "True"
    ]
    why = "; ".join(left) or (f"kept by {', '.join(kept)}" if kept else "")
    return progressing("it is being deleted" + (f": {why}" if why else ""))


def judge_generation(live: Body) -> Finding | None:
    """The verdict where the status is about an earlier spec, None where it is about this one or does not say."""
    seen = _find_status(live).get("observedGeneration")
    generation = live["metadata"].get("generation")
    return progressing(UNSEEN) if None not in (seen, generation) and seen != generation else None


def judge_standard(live: Body, evidence: Evidence) -> Finding | None:
    """The verdict of a controller that gives it in kstatus' own words; None where it says nothing bad so."""
    if text := say_condition(live, "Stalled", "True", evidence):
        return failed(text)
    if text := say_condition(live, "Reconciling", "True", evidence):
        return progressing(text)
    return None


def judge_readiness(live: Body, evidence: Evidence) -> Finding | None:
    """The verdict on a kind that there is no rule for, by what most say; None where it has no status."""
    if not _find_status(live):
        return None
    # Synced is what Sealed Secrets and Crossplane call it.
    for kind in ("Ready", "Synced"):
        for status in ("False", "Unknown"):
            if text := say_condition(live, kind, status, evidence):
                return progressing(text)
    return current("ready" if is_true(live, "Ready") else "as its status says")


def find_conditions(live: Body) -> list[Mapping[str, Any]]:
    """All conditions; what else somebody keeps under that name is none."""
    found = _find_status(live).get("conditions")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _find_status(live: Body) -> Mapping[str, Any]:
    """The status of a custom object may be anything; what is no mapping says nothing."""
    status = live.get("status")
    return status if isinstance(status, Mapping) else {}


def find_condition(live: Body, kind: str) -> Mapping[str, Any]:
    """The condition of a type, an empty one where there is none."""
    return next((each for each in find_conditions(live) if each.get("type") == kind), {})


def is_true(live: Body, kind: str) -> bool:
    return find_condition(live, kind).get("status") == "True"


def say_condition(live: Body, kind: str, status: str, evidence: Evidence) -> str:
    """A condition in words where it has that status, else ""."""
    condition = find_condition(live, kind)
    if condition.get("status") != status:
        return ""
    reason, message = evidence.quote(condition.get("reason")), evidence.quote(condition.get("message"))
    said = f"{message} ({reason})" if message and reason else message or reason
    return said or f"{kind} is {status}"


def find_change(condition: Mapping[str, Any]) -> datetime | None:
    """Since when a condition has its status."""
    return parse_time(condition.get("lastTransitionTime"))


def parse_time(text: object) -> datetime | None:
    """A timestamp of the API server; None for what is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None

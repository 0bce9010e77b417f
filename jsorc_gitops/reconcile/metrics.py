"""A pass as metrics, in the text format of Prometheus, for the textfile collector of the node exporter.

All are gauges: each file tells of one pass, and a counter would have to remember those before it.
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
https://prometheus.io/docs/practices/naming/
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from jsorc_gitops.reconcile.health import Status
from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.report import Ending, Report
from jsorc_gitops.reconcile.resets import Verdict

_SUCCESS = "jsorc_last_success_timestamp_seconds"
# The worst of its workloads is how a service is.
_WORST_FIRST = (Status.FAILED, Status.UNKNOWN, Status.PROGRESSING, Status.CURRENT)

Labels = Mapping[str, str]
Family = tuple[str, str, Sequence[tuple[Labels, float]]]  # name, help, samples


def format_metrics(report: Report | None, ending: Ending, *, labels: Labels, before: str) -> str:
    """The text of the file; there is no report where an error ended the pass.

    `labels` tell it from other repositories on the same host. `before` is what the file held: a pass that failed
    does not know when the last one succeeded.
    """
    now = round(ending.at.timestamp(), 3)
    succeeded = _find_success(before) if ending.exit_code else now
    families: list[Family] = [
        ("jsorc_last_pass_timestamp_seconds", "When the last pass ended.", [({}, now)]),
        (_SUCCESS, "When the last pass with exit code 0 ended, 0 for none.", [({}, succeeded)]),
        ("jsorc_pass_duration_seconds", "How long the last pass took.", [({}, round(ending.seconds, 3))]),
        ("jsorc_exit_code", "The exit code of the last pass.", [({}, ending.exit_code)]),
        *(_measure_report(report) if report else ()),
    ]
    lines: list[str] = []
    for name, text, samples in families:
        if samples:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
            lines += [f"{name}{_format_labels({**labels, **each})} {value}" for each, value in samples]
    return "\n".join(lines) + "\n"


def _measure_report(report: Report) -> Iterator[Family]:
    actions = [each for each in Action if each is not Action.REFUSE]
    yield (
        "jsorc_objects",
        "Objects of the last pass by what was done with them.",
        [({"action": each.value}, report.counts[each]) for each in actions],
    )
    failed = sum(each.is_bad for each in report.objects)
    yield "jsorc_failed_objects", "Objects of the last pass that were refused or failed.", [({}, failed)]
    yield (
        "jsorc_pass_requests",
        "Requests of the last pass by the server that was asked.",
        [({"server": "kubernetes"}, report.requests), ({"server": "jaseci"}, report.jaseci_requests)],
    )
    yield (
        "jsorc_service_health",
        "1 for how the workloads of a service are, the worst of them.",
        [
            ({"service": service, "status": each.value}, int(each is status))
            for service, status in _judge_services(report).items()
            for each in Status
        ],
    )
    yield (
        "jsorc_service_verdict",
        "1 for what became of a service: whether it runs, was reset, or is paused.",
        [
            ({"service": each.service, "verdict": verdict.value}, int(verdict is each.verdict))
            for each in report.services
            for verdict in Verdict
        ],
    )


def _judge_services(report: Report) -> dict[str, Status]:
    found: dict[str, Status] = {}
    for service, health in report.healths:
        if not service:
            continue  # of the tree itself
        found[service] = min(found.get(service, health.status), health.status, key=_WORST_FIRST.index)
    return found


def _find_success(before: str) -> float:
    found = re.search(rf"^{_SUCCESS}(?:{{.*}})? (\d+(?:\.\d+)?)$", before, re.MULTILINE)
    return float(found[1]) if found else 0


def _format_labels(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

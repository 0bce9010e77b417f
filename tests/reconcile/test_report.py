"""report: exit codes, and what is printed."""

from textwrap import dedent
from typing import Any

import pytest

from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.plan import Action, FieldChange
from jsorc_gitops.reconcile.report import ObjectResult, Report, format_report
from jsorc_gitops.reconcile.resets import ServiceVerdict, Verdict
from tests.reconcile.builders import make_ref

WEB = make_ref("Deployment", "web", group="apps")
MAP = make_ref("ConfigMap", "redis")


def result(action: Action, *, ref: ObjectRef = WEB, service: str = "redis", **rest: Any) -> ObjectResult:
    return ObjectResult(ref=ref, service=service, action=action, **rest)


def health(status: Status, message: str = "the cause") -> tuple[str, Health]:
    return "redis", Health(ref=WEB, status=status, message=message)


def verdict(kind: Verdict, service: str = "redis", reason: str = "") -> ServiceVerdict:
    return ServiceVerdict(service=service, verdict=kind, reason=reason)


def make_report(**parts: Any) -> Report:
    return Report(revision="0123456789abcdef", **parts)


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        (0, {}),
        (0, {"warnings": ("mind",)}),
        *((0, {"objects": (result(action),)}) for action in Action if action is not Action.REFUSE),
        (0, {"healths": (health(Status.CURRENT),)}),
        (0, {"healths": (health(Status.PROGRESSING),)}),
        (0, {"services": (verdict(Verdict.RUNNING), verdict(Verdict.RESET), verdict(Verdict.DISABLED))}),
        (0, {"services": (verdict(Verdict.WAITING), verdict(Verdict.BLOCKED))}),
        (1, {"errors": ("refused",)}),
        (1, {"objects": (result(Action.REFUSE),)}),
        *((1, {"objects": (result(action, error="403"),)}) for action in Action),
        (1, {"errors": ("refused",), "services": (verdict(Verdict.FAILED),)}),
        (4, {"services": (verdict(Verdict.FAILED),)}),
        (4, {"services": (verdict(Verdict.UNKNOWN),)}),
        (4, {"healths": (health(Status.FAILED),)}),
        (4, {"healths": (health(Status.CURRENT), health(Status.FAILED))}),
    ],
)
def test_the_exit_code(code: int, parts: dict[str, Any]) -> None:
    """0 converged or on its way, 1 refused or failed, 4 applied but not working (DESIGN §9)."""
    assert make_report(**parts).exit_code == code


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        (False, {}),
        (False, {"objects": (result(Action.UNCHANGED),)}),
        (False, {"objects": (result(Action.REFUSE), result(Action.CREATE, error="403"))}),
        (False, {"services": (verdict(Verdict.RUNNING), verdict(Verdict.WAITING))}),
        (True, {"objects": (result(Action.CREATE),)}),
        (True, {"objects": (result(Action.PRUNE),)}),
        (True, {"services": (verdict(Verdict.RESET),)}),
        (True, {"services": (verdict(Verdict.FAILED),)}),
    ],
)
def test_whether_anything_was_changed(changed: object, parts: dict[str, Any]) -> None:
    """A write that succeeded, or a reset that was tried."""
    assert make_report(**parts).changed is changed


BUSY = make_report(
    objects=(
        result(Action.CREATE, reason="new"),
        result(
            Action.CONFIGURE,
            ref=MAP,
            reason="changed",
            changes=(
                FieldChange(path=".data.max", before="drift", after="1gb", by="kubectl-edit"),
                FieldChange(path=".data.new", before=None, after="1"),
                FieldChange(path=".data.old", before="1", after=None, by="k9s"),
                FieldChange(path=".data.script", before="a\nb", after="a"),
                FieldChange(path=".data.long", before="x" * 99, after="y"),
            ),
        ),
        result(Action.UNCHANGED, ref=make_ref("Service", "redis")),
        result(Action.UNCHANGED, ref=make_ref("Service", "headless")),
        result(Action.CREATE, ref=make_ref("Secret", "s"), service="task", reason="deleted by somebody"),
        result(Action.REFUSE, ref=make_ref("Job", "j"), service="task", reason="exists and is not ours"),
        result(Action.CREATE, ref=make_ref("Role", "r"), service="web", error="forbidden"),
        result(
            Action.ADOPT, ref=make_ref("Namespace", "home", namespace=""), service="", reason="existed before"
        ),
    ),
    healths=(health(Status.PROGRESSING, "0 of 1 pod ready"),),
    services=(
        verdict(Verdict.WAITING, reason="0 of 1 pod ready"),
        verdict(Verdict.FAILED, "task", "was stopped; 403"),
    ),
    warnings=("mind the gap",),
    errors=("12 objects would go",),
    requests=34,
    jaseci_requests=5,
)


def test_a_busy_pass_verbosely() -> None:
    """Grouped by service, with every changed field and whose hand it was."""
    *lines, summary = format_report(BUSY, quiet=False)
    assert lines == dedent(f"""\
        warning: mind the gap
        tree
          Namespace/home adopted: existed before
        redis
          ConfigMap/home/redis configured
            .data.max: drift → 1gb (set by kubectl-edit)
            .data.new: set to 1
            .data.old: 1 removed (set by k9s)
            .data.script changed
            .data.long: {"x" * 59}… → y
          Deployment/home/web created
          2 objects unchanged
          Deployment/home/web progressing: 0 of 1 pod ready
          Jaseci: waiting, 0 of 1 pod ready
        task
          Secret/home/s created: deleted by somebody
          Job/home/j refused: exists and is not ours
          Jaseci: failed, was stopped; 403
        web
          Role/home/r not created: forbidden
        error: 12 objects would go""").split("\n")
    assert summary == (
        "0123456789ab: 2 created, 1 adopted, 1 configured, 2 refused or failed, 1 not running "
        "(8 objects, 34 requests to Kubernetes, 5 to Jaseci)"
    )


def test_a_busy_pass_quietly() -> None:
    """Only what is as it should be is left out."""
    verbose = format_report(BUSY, quiet=False)
    assert format_report(BUSY, quiet=True) == [line for line in verbose if line != "  2 objects unchanged"]


CALM = make_report(
    objects=(result(Action.UNCHANGED),),
    healths=(health(Status.CURRENT, "1 pod ready"),),
    services=(verdict(Verdict.RUNNING), verdict(Verdict.DISABLED, "task")),
    requests=6,
)


def test_a_pass_with_nothing_to_do_quietly() -> None:
    """Nothing is printed, so that who runs it every ten seconds sees only what happens."""
    assert format_report(CALM, quiet=True) == []


def test_a_pass_with_nothing_to_do_verbosely() -> None:
    """What there is, and that it is well."""
    assert format_report(CALM, quiet=False) == [
        "redis",
        "  1 object unchanged",
        "  Deployment/home/web current: 1 pod ready",
        "  Jaseci: running",
        "task",
        "  Jaseci: disabled",
        "0123456789ab: nothing to do (1 object, 6 requests to Kubernetes)",
    ]


def test_a_reset_is_printed_quietly() -> None:
    """It is a change like any other."""
    reset = make_report(services=(verdict(Verdict.RESET, reason="was failed, verified running"),))
    assert format_report(reset, quiet=True) == [
        "redis",
        "  Jaseci: reset, was failed, verified running",
        "0123456789ab: 1 reset (0 objects, 0 requests to Kubernetes)",
    ]


def test_a_failing_workload_is_printed_quietly() -> None:
    """Nothing was done, but it is not well."""
    report = make_report(objects=(result(Action.UNCHANGED),), healths=(health(Status.FAILED, "it crashes"),))
    assert format_report(report, quiet=True) == [
        "redis",
        "  Deployment/home/web failed: it crashes",
        "0123456789ab: nothing changed (1 object, 0 requests to Kubernetes)",
    ]


def test_what_is_pruned_and_released_is_named() -> None:
    """A release says whose it is now; a prune needs no reason."""
    report = make_report(
        objects=(
            result(Action.PRUNE, reason="no longer in the tree"),
            result(
                Action.RELEASE,
                ref=make_ref("PersistentVolumeClaim", "data"),
                reason="kept, it is yours to delete",
            ),
            result(Action.YIELD, ref=MAP, reason="no longer carries our mark; left alone"),
        )
    )
    assert format_report(report, quiet=True) == [
        "redis",
        "  Deployment/home/web pruned",
        "  PersistentVolumeClaim/home/data released: kept, it is yours to delete",
        "  ConfigMap/home/redis yielded: no longer carries our mark; left alone",
        "0123456789ab: 1 pruned, 1 released, 1 yielded (3 objects, 0 requests to Kubernetes)",
    ]

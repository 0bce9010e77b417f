"""report: exit codes, and what is printed."""

from textwrap import dedent
from typing import Any

import pytest

from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.plan import Action, FieldChange
from jsorc_gitops.reconcile.report import Line, ObjectResult, Report, Tone, format_report, join_reports
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


def tell(report: Report, *, quiet: bool) -> list[str]:
    return [line.text for line in format_report(report, quiet=quiet)]


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
        (4, {"healths": (health(Status.PROGRESSING),), "overdue": True}),
        (1, {"errors": ("refused",), "overdue": True}),
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
        (False, {"objects": (result(Action.YIELD),)}),
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
    *lines, summary = tell(BUSY, quiet=False)
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
    verbose = tell(BUSY, quiet=False)
    assert tell(BUSY, quiet=True) == [line for line in verbose if line != "  2 objects unchanged"]


CALM = make_report(
    objects=(result(Action.UNCHANGED),),
    healths=(health(Status.CURRENT, "1 pod ready"),),
    services=(verdict(Verdict.RUNNING), verdict(Verdict.DISABLED, "task")),
    requests=6,
)


def test_a_pass_with_nothing_to_do_quietly() -> None:
    """Nothing is printed, so that who runs it every ten seconds sees only what happens."""
    assert tell(CALM, quiet=True) == []


def test_a_pass_with_nothing_to_do_verbosely() -> None:
    """What there is, and that it is well."""
    assert tell(CALM, quiet=False) == [
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
    assert tell(reset, quiet=True) == [
        "redis",
        "  Jaseci: reset, was failed, verified running",
        "0123456789ab: 1 reset (0 requests to Kubernetes)",
    ]


def test_a_failing_workload_is_printed_quietly() -> None:
    """Nothing was done, but it is not well."""
    report = make_report(objects=(result(Action.UNCHANGED),), healths=(health(Status.FAILED, "it crashes"),))
    assert tell(report, quiet=True) == [
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
    assert tell(report, quiet=True) == [
        "redis",
        "  Deployment/home/web pruned",
        "  PersistentVolumeClaim/home/data released: kept, it is yours to delete",
        "  ConfigMap/home/redis yielded: no longer carries our mark; left alone",
        "0123456789ab: 1 pruned, 1 released, 1 yielded (3 objects, 0 requests to Kubernetes)",
    ]


def test_the_cluster_is_named_where_something_was_changed() -> None:
    """Once, in the last line; of a pass without changes only on demand, since each pass would say it."""
    changed = make_report(objects=(result(Action.CREATE),), server="https://one:6443")
    calm = make_report(objects=(result(Action.UNCHANGED),), server="https://one:6443")
    failing = make_report(healths=(health(Status.FAILED),), server="https://one:6443")

    said = [("\n".join(tell(each, quiet=True)).count("https://one:6443")) for each in (changed, calm, failing)]

    assert said == [1, 0, 0]
    assert tell(changed, quiet=True)[-1].startswith("0123456789ab on https://one:6443: 1 created (1 object, ")
    assert tell(calm, quiet=False)[-1].startswith("0123456789ab on https://one:6443: nothing to do (")


def test_a_dry_run() -> None:
    """What would be done, and that nothing was; said also where there is nothing to do."""
    planned = make_report(
        dry_run=True,
        objects=(
            result(Action.CREATE, reason="new", note="not checked: namespace home comes with this very pass"),
            result(Action.REFUSE, ref=MAP, reason="exists and is not ours"),
            result(Action.PRUNE, ref=make_ref("Service", "old"), error="refused"),
            result(Action.UNCHANGED, ref=make_ref("Service", "redis")),
        ),
    )
    assert tell(planned, quiet=True) == [
        "redis",
        "  Deployment/home/web would be created",
        "    not checked: namespace home comes with this very pass",
        "  Service/home/old not pruned: refused",
        "  ConfigMap/home/redis refused: exists and is not ours",
        "dry run of 0123456789ab: 1 created, 2 refused or failed (4 objects, 0 requests to Kubernetes)",
    ]
    assert tell(make_report(dry_run=True), quiet=True) == [
        "dry run of 0123456789ab: nothing to do (0 requests to Kubernetes)"
    ]


@pytest.mark.parametrize(
    ("differs", "parts"),
    [
        (False, {"objects": (result(Action.UNCHANGED),)}),
        (False, {"objects": (result(Action.YIELD),)}),
        (True, {"objects": (result(Action.PRUNE), result(Action.UNCHANGED))}),
        (False, {"objects": (result(Action.CREATE), result(Action.REFUSE))}),
        (False, {"objects": (result(Action.CREATE),), "errors": ("12 objects would go",)}),
    ],
)
def test_whether_a_dry_run_differs(differs: object, parts: dict[str, Any]) -> None:
    """Where a pass would write; what is wrong has an exit code of its own, that comes first."""
    assert make_report(dry_run=True, **parts).differs is differs
    assert make_report(**parts).differs is False


def test_tones() -> None:
    """Every line says what it tells, for who can show it in colours."""
    tones = {line.text.strip(): line.tone for line in format_report(BUSY, quiet=True)}
    assert [
        tones["redis"],
        tones["Deployment/home/web created"],
        tones["ConfigMap/home/redis configured"],
        tones["Job/home/j refused: exists and is not ours"],
        tones["Role/home/r not created: forbidden"],
        tones["Deployment/home/web progressing: 0 of 1 pod ready"],
        tones["Jaseci: failed, was stopped; 403"],
        tones["warning: mind the gap"],
        tones["error: 12 objects would go"],
    ] == [
        *(Tone.HEADING, Tone.MADE, Tone.CHANGED, Tone.BAD, Tone.BAD),
        *(Tone.WARNING, Tone.BAD, Tone.WARNING, Tone.BAD),
    ]
    assert format_report(BUSY, quiet=True)[-1] == Line(tell(BUSY, quiet=True)[-1], Tone.PLAIN)


def test_of_a_verdict_that_changed_the_last_one_counts() -> None:
    """What was told part by part has both."""
    parts = [make_report(healths=(health(each),)) for each in (Status.PROGRESSING, Status.CURRENT)]
    assert join_reports(parts).healths == (health(Status.CURRENT),)


@pytest.mark.parametrize(("dry_run", "gone"), [(True, "removed, or back to its default"), (False, "removed")])
def test_what_goes_with_an_adoption(*, dry_run: bool, gone: str) -> None:
    """A dry run does not know what has a default, the pass has seen what became of it."""
    changes = (FieldChange(path=".spec.strategy", before="Recreate", after=None, by="helm"),)
    adopted = make_report(dry_run=dry_run, objects=(result(Action.ADOPT, changes=changes),))

    assert f"    .spec.strategy: Recreate {gone} (set by helm)" in tell(adopted, quiet=True)

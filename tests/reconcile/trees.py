"""The trees that passes are tried on, and what to look at in a report."""

from jsorc_gitops.reconcile.plan import Action
from jsorc_gitops.reconcile.report import Report
from tests.reconcile.builders import HOME, make_body, make_config_map, make_deployment, make_tree

REDIS = [make_deployment("redis", service="redis"), make_config_map("redis", service="redis")]
TASK = [make_config_map("task", service="task")]
TREE = make_tree({"redis": REDIS, "task": TASK}, records={"task": {"depends_on": ("redis",)}})
REDIS_ALONE = make_tree({"redis": REDIS})
WITH_HOME = make_tree({"redis": REDIS}, shared=[make_body("Namespace", HOME, namespace="")])


def actions(report: Report) -> dict[str, Action]:
    return {str(each.ref): each.action for each in report.objects if not each.ref.name.startswith("jsorc.")}


def bad(report: Report) -> list[str]:
    return [str(each.ref) for each in report.objects if each.is_bad]

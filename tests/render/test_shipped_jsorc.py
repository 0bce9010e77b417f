"""jsorc itself as it is shipped: what it is told to do, under whom, and that it does not apply its own rights."""

from dataclasses import replace
from typing import Any

import pytest

from jsorc_gitops.adapters.files import read_definitions
from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.layout import rights_name
from jsorc_gitops.model.settings import Applier, CredentialsReference, Environment, JaseciSettings, Settings
from jsorc_gitops.render.assembly import Tools, render_trees
from jsorc_gitops.render.templates import TemplateRenderer
from tests.render.builders import PYTHON, make_service, render_services
from tests.render.shipped import ROOT, Body, definition_of, objects_by_name

FILE = JaseciSettings(
    url="http://jaseci", credentials=CredentialsReference(kind="file", name="/run/jaseci/login.json")
)
FLUX = Settings(applier="flux", namespace="shop", jaseci=FILE)
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: jsorc.default.default, namespace: default}
rules: []
"""


def pod_of(mode: str, settings: Settings, **values: Any) -> Body:
    objects = objects_by_name("jsorc", tree_settings=settings, mode=mode, **values)
    if mode == "loop":
        template: Body = objects["Deployment/jsorc"]["spec"]["template"]["spec"]
    else:
        template = objects["CronJob/jsorc"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return template


def args_of(settings: Settings, mode: str = "cron") -> list[str]:
    args: list[str] = pod_of(mode, settings)["containers"][0]["args"]
    return args


@pytest.mark.parametrize("applier", ["flux", "argocd"])
def test_beside_another_applier_it_needs_no_git(applier: Applier) -> None:
    """It goes by the records in the home namespace, and may not connect to a git server."""
    settings = replace(FLUX, applier=applier)

    assert args_of(settings) == ["reconcile", "--from-cluster", "--namespace", "shop"]
    egress = objects_by_name("jsorc", tree_settings=settings)["NetworkPolicy/jsorc"]["spec"]["egress"]
    assert 22 not in {port["port"] for rule in egress for port in rule["ports"]}


def test_where_jsorc_applies_it_has_the_repository() -> None:
    """It is told repository, branch and folder."""
    url = definition_of("jsorc")["values"]["git"]["url"]

    assert args_of(Settings()) == ["reconcile", "--repo", url, "--branch", "main", "--folder", "."]


def test_an_environment_has_its_own() -> None:
    """Its tree, its home namespace, and its rights, which lie beside the template."""
    files = read_definitions(ROOT)["jsorc"]
    name = rights_name("stage", "staging")
    role = ROLE.replace("jsorc.default.default", name).replace("namespace: default", "namespace: stage")
    files = replace(files, texts={**files.texts, "roles.staging.j2": role})
    environment = Environment(namespace="stage", applier="argocd")

    settings = Settings(environments={"staging": environment}).of_tree("staging")
    tools = Tools(templates=TemplateRenderer(), python=PYTHON)
    bodies = render_trees({"staging": settings}, {"jsorc": files}, tools=tools)["staging"].manifests

    (job,) = [each.body for each in bodies if each.ref.kind == "CronJob"]
    args = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args == ["reconcile", "--from-cluster", "--namespace", "stage", "--env", "staging"]
    assert [str(each.ref) for each in bodies if each.ref.kind == "Role"] == [f"Role/stage/{name}"]


def test_credentials_in_a_file_are_mounted_there() -> None:
    """The key of the Secret lies at the very path that jsorc.yaml names."""
    pod = pod_of("cron", FLUX, jaseci={"secret": "login", "key": "json"})

    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "jaseci"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "jaseci"]
    assert mount == {"name": "jaseci", "mountPath": "/run/jaseci", "readOnly": True}
    assert volume["secret"] == {"secretName": "login", "items": [{"key": "json", "path": "login.json"}]}


def test_passes_of_a_cron_job_follow_one_another() -> None:
    """None begins while another runs; one that hangs is ended, one that failed is not tried again."""
    spec = objects_by_name("jsorc", tree_settings=FLUX, deadline=60)["CronJob/jsorc"]["spec"]

    assert (spec["concurrencyPolicy"], spec["jobTemplate"]["spec"]["activeDeadlineSeconds"]) == ("Forbid", 60)
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert spec["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert {"successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 3}.items() <= spec.items()
    assert spec["startingDeadlineSeconds"] >= 10  # less, and Kubernetes may miss every run


def test_a_loop_is_probed_by_what_it_writes() -> None:
    """The file that the probes look at is the one it writes at the end of each pass, in a folder it may write."""
    pod = pod_of("loop", FLUX)
    (container,) = pod["containers"]
    written = container["args"][container["args"].index("--metrics") + 1]

    assert container["args"][-3:-1] == ["--loop", "--metrics"]
    assert written in container["livenessProbe"]["exec"]["command"][2]
    assert written in container["startupProbe"]["exec"]["command"]
    assert written.rpartition("/")[0] in {each["mountPath"] for each in container["volumeMounts"]}


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        (Settings(), True),
        (Settings(keep_alive=("jsorc",)), True),
        (Settings(keep_alive=()), False),
        (Settings(applier="flux"), False),
    ],
)
def test_its_own_rights_are_not_its_to_apply(settings: Settings, *, refused: bool) -> None:
    """A service that jsorc keeps alive and applies cannot hold its own rights; the message says what to do."""
    service = make_service({"roles.yaml": ROLE}, name="jsorc")
    if not refused:
        assert render_services(service, settings=settings)
        return
    with pytest.raises(DefinitionError) as caught:
        render_services(service, settings=settings)
    assert "roles.yaml:1: Role/jsorc.default.default is what jsorc itself may do" in str(caught.value)
    assert "take jsorc out of keep_alive in jsorc.yaml" in str(caught.value)

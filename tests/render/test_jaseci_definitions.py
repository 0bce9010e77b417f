"""The definitions in Jaseci's own packages, used as they are."""

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from jsorc_gitops.adapters.files import read_definitions
from jsorc_gitops.adapters.python import PythonDefinitions
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.model.services import parse_definition
from jsorc_gitops.render.python import render_python
from jsorc_gitops.render.templates import TemplateRenderer
from tests.jaseci.install import install
from tests.jaseci.packages import find_manifests, install_older
from tests.render.worktree import put

pytestmark = pytest.mark.real

PROMON = {
    "ServiceAccount": 5,
    "ConfigMap": 2,
    "PersistentVolumeClaim": 2,
    "ClusterRole": 4,
    "ClusterRoleBinding": 4,
    "Service": 5,
    "DaemonSet": 1,
    "Deployment": 4,
}
REDIS = {"Service": 1, "Deployment": 1, "ConfigMap": 1}
MANIFESTS = {"redis": 3, "database": 4, "prometheus": 30, "elastic": 21}


def ask(interpreter: Path, name: str) -> Any:
    """The value of module:NAME, without any of our code."""
    module, _, attribute = name.partition(":")
    code = f"import json, {module} as m; print('\\n' + json.dumps(m.{attribute}))"
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def render(root: Path, name: str, interpreter: Path, *, shifted: bool = False) -> tuple[list[Manifest], Any]:
    """What a service with this definition renders to, read from a folder."""
    put(root, {"templates/web/service.yaml": f"python: {name}\n"})
    [files] = read_definitions(root).values()
    definition = parse_definition(files, services=frozenset({"web"}))
    return render_python(
        definition, files, PythonDefinitions(root, interpreter=str(interpreter), shifted=shifted)
    )


@pytest.mark.parametrize(
    ("version", "service", "truth", "kinds"),
    [
        ("1.3.6.2", "jaseci.svc:RedisService", "jaseci.svc.redis.kube:REDIS_KUBE", REDIS),
        ("1.3.6.2", "jaseci.svc:PromotheusService", "jaseci.svc.prometheus.kube:PROMON_KUBE", PROMON),
        ("1.3.6.8", "jaseci.svc:RedisService", "jaseci.svc.redis.manifest:REDIS_MANIFEST", REDIS),
        ("1.3.6.8", "jaseci.svc:PrometheusService", "jaseci.svc.prometheus.manifest:PROMON_MANIFEST", PROMON),
    ],
)
def test_classes_and_dicts_of_old_releases(
    tmp_path: Path, version: str, service: str, truth: str, kinds: dict[str, int]
) -> None:
    """Jaseci's service classes, and the dicts behind them at any time, render to their objects, unchanged."""
    interpreter = install_older(version)
    expected = [body for bodies in ask(interpreter, truth).values() for body in bodies]

    for name, shifted in ((service, False), (truth, True)):
        manifests, _ = render(tmp_path, name, interpreter, shifted=shifted)
        assert [each.body for each in manifests] == expected
        assert Counter(each.ref.kind for each in manifests) == kinds
    # What importing Jaseci writes does not end up in the repository.
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["service.yaml"]


@pytest.mark.parametrize(
    ("version", "service", "config"),
    [
        ("1.3.6.2", "jaseci.svc:TaskService", "jaseci.svc.task.config:TASK_CONFIG"),
        ("1.3.6.2", "jaseci.svc:RedisService", "jaseci.svc.redis.config:REDIS_CONFIG"),
        ("1.3.6.8", "jaseci.svc:MailService", "jaseci.svc.mail.config:MAIL_CONFIG"),
    ],
)
def test_configs_of_old_releases(tmp_path: Path, version: str, service: str, config: str) -> None:
    """A class says its service's config; one without kube config has no objects."""
    interpreter = install_older(version)

    manifests, built = render(tmp_path, service, interpreter)

    assert built == ask(interpreter, config)
    assert bool(manifests) == ("Redis" in service)


@pytest.mark.parametrize("service", MANIFESTS)
def test_manifests_of_1_4(tmp_path: Path, service: str) -> None:
    """Jaseci's YAML files are services as they are: every object, unchanged, CRDs and all."""
    file = tmp_path / f"templates/{service}/{service}.yaml"
    file.parent.mkdir(parents=True)
    shutil.copy(find_manifests() / file.name, file)

    manifests = TemplateRenderer().fill(read_definitions(tmp_path)[service], {}).make_manifests()

    assert [each.body for each in manifests] == [body for body in yaml.safe_load_all(file.read_text()) if body]
    assert len(manifests) == MANIFESTS[service]


@pytest.mark.parametrize("service", MANIFESTS)
def test_shape_of_1_4(tmp_path: Path, service: str) -> None:
    """What Jaseci 1.4 makes of its YAML files, objects by kind and name, holds the same objects."""
    code = f"from jaseci.jsorc import jsorc_utils\nKUBE = jsorc_utils.load_default_yaml('{service}')\n"
    put(tmp_path, {"jobs.py": code})
    text = (find_manifests() / f"{service}.yaml").read_text()
    bodies = [body for body in yaml.safe_load_all(text) if body]

    manifests, _ = render(tmp_path, "jobs:KUBE", install().jsserv.with_name("python"))

    order = list(dict.fromkeys(body["kind"] for body in bodies))
    assert [each.body for each in manifests] == sorted(bodies, key=lambda body: order.index(body["kind"]))

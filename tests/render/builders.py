"""Service folders and the doors of publishing, in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsorc_gitops.adapters.python import PythonDefinitions
from jsorc_gitops.adapters.schemas import read_kubernetes_schemas
from jsorc_gitops.model.layout import TreeDiff
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.model.services import ServiceFiles
from jsorc_gitops.model.settings import DEFAULT_TREE, Settings
from jsorc_gitops.render.assembly import Tools, render_trees
from jsorc_gitops.render.templates import TemplateRenderer

PYTHON = PythonDefinitions(Path("nowhere"))
# What a rendering needs besides definitions.
TOOLS: Any = {"python": PYTHON, "schemas": read_kubernetes_schemas}

REDIS = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: redis
spec:
  replicas: {{ values.replicas }}
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      containers:
      - name: redis
        image: {{ values.image }}
"""


def make_service(texts: Mapping[str, str] | str = "", *, name: str = "redis") -> ServiceFiles:
    """A folder under templates/; a lone text is its service.yaml."""
    if isinstance(texts, str):
        texts = {"service.yaml": texts}
    return ServiceFiles(name=name, folder=f"templates/{name}", texts=texts)


def make_redis(*, image: str = "redis:6", replicas: int = 1) -> ServiceFiles:
    definition = f"values: {{image: '{image}', replicas: {replicas}}}\n"
    return make_service({"service.yaml": definition, "redis.yaml.j2": REDIS})


def make_object(kind: str = "ConfigMap", name: str = "x", *, version: str = "v1", more: str = "") -> str:
    """The YAML of an object; `more` stands below metadata."""
    return f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n{more}"


def render_services(*services: ServiceFiles, settings: Settings | None = None) -> list[Manifest]:
    by_name = {each.name: each for each in services}
    tools = Tools(templates=TemplateRenderer(), python=PYTHON)
    return list(
        render_trees({DEFAULT_TREE: settings or Settings()}, by_name, tools=tools)[DEFAULT_TREE].manifests
    )


def render_bodies(*services: ServiceFiles, settings: Settings | None = None) -> dict[str, Any]:
    """The body of every object, by its spelling."""
    return {str(each.ref): each.body for each in render_services(*services, settings=settings)}


class KilledError(Exception):
    """The process died here."""


class MemoryFolder:
    """A tree's folder that remembers what was written, and that can die after some files."""

    def __init__(self, files: Mapping[str, str] | None = None) -> None:
        self.files = dict(files or {})
        self.writes: list[str] = []
        self.dies_after: int | None = None

    def read_tree(self) -> dict[str, str]:
        return dict(self.files)

    def write_tree(self, files: Mapping[str, str], diff: TreeDiff) -> None:
        for path in (*diff.added, *diff.changed, *diff.removed):
            if len(self.writes) == self.dies_after:
                raise KilledError
            self.writes.append(path)
            if path in diff.removed:
                del self.files[path]
            else:
                self.files[path] = files[path]

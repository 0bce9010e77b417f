"""Objects that are right (kinds.yaml), ways to make them wrong, and what the lint says of them."""

from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from jsorc_gitops.adapters.schemas import read_kubernetes_schemas
from jsorc_gitops.model import fields
from jsorc_gitops.model.objects import Manifest, parse_manifest
from jsorc_gitops.model.yaml import parse_documents
from jsorc_gitops.render.findings import Finding
from jsorc_gitops.render.kinds import Schemas
from jsorc_gitops.render.lint import check_tree

HERE = Path(__file__).parent

Body = dict[str, Any]

ABSENT = object()


@cache
def read_schemas() -> Schemas:
    """The schemas of Kubernetes, compiled once for all tests."""
    return Schemas(read_kubernetes_schemas())


@cache
def _read_kinds() -> Mapping[str, Body]:
    documents = parse_documents((HERE / "kinds.yaml").read_text(), source="kinds.yaml")
    return {name_of(each.value): each.value for each in documents}


def name_of(body: Body) -> str:
    """'Deployment/web'."""
    return f"{body['kind']}/{body['metadata']['name']}"


def list_good() -> list[str]:
    """The names of all objects in kinds.yaml."""
    return list(_read_kinds())


def make_good(name: str) -> Body:
    """An object of kinds.yaml that may be changed."""
    return deepcopy(_read_kinds()[name])


def change(body: Body, path: fields.Path, value: Any) -> Body:
    """A copy with another value at `path`, or with none there where it is ABSENT."""
    changed = deepcopy(body)
    above = changed
    for step in path[:-1]:
        above = above[step]  # type: ignore[index]
    if value is ABSENT:
        del above[path[-1]]  # type: ignore[arg-type]
    else:
        above[path[-1]] = deepcopy(value)  # type: ignore[index]
    return changed


def make_manifests(*bodies: Body) -> list[Manifest]:
    return [parse_manifest(each, where=name_of(each)) for each in bodies]


def find(*bodies: Body, plain: Collection[str] = (), flux: bool = False) -> list[Finding]:
    """All findings of a tree with one service, redis, that holds these objects."""
    services = {"redis": make_manifests(*bodies)}
    return check_tree(services, schemas=read_schemas(), plain_secrets=plain, flux=flux)


def tell(*bodies: Body, plain: Collection[str] = (), flux: bool = False) -> list[str]:
    """The same as lines of rule, path and message."""
    found = find(*bodies, plain=plain, flux=flux)
    return [": ".join(part for part in (each.rule, each.path, each.message) if part) for each in found]


def find_errors(*bodies: Body) -> list[Finding]:
    return [each for each in find(*bodies, plain=["redis"]) if each.severity == "error"]


def walk(value: Any, path: fields.Path = ()) -> Iterator[tuple[fields.Path, Any]]:
    """Everything below a value, with its path."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in pairs:
        yield (*path, step), below
        yield from walk(below, (*path, step))

"""What Flux and Argo CD are given, and what is refused before."""

from dataclasses import replace
from typing import Any

import pytest

from jsorc_gitops.errors import JsorcError, SettingsError, TreeError
from jsorc_gitops.model.settings import Applier
from jsorc_gitops.model.tree import Tree, parse_tree
from jsorc_gitops.render import publish
from jsorc_gitops.render.bootstrap import Plan, check_plan, make_argocd, make_flux
from tests.render.builders import TOOLS, make_object, make_redis, make_service

URL = "https://git.example.com/fleet.git"
RBAC = "rbac.authorization.k8s.io/v1"


def make_tree(settings: str, *services: Any) -> Tree:
    """The tree as render writes it, read back."""
    files = publish.render(settings, {each.name: each for each in services}, {}, **TOOLS).files
    return parse_tree(files, name="default", where="rendered")


def make_plan(applier: Applier = "flux", *, per_service: bool = False, **changes: Any) -> Plan:
    """The services redis, task which depends on it, and api which depends on both."""
    services = (
        make_redis(),
        make_service("dependsOn: [redis]\n", name="task"),
        make_service("dependsOn: [redis, task]\n", name="api"),
    )
    fields: dict[str, Any] = {
        "tree": make_tree(f"applier: {applier}\nnamespace: shop\n", *services),
        "url": URL,
        "branch": "main",
        "path": "rendered",
        "name": "shop",
        "namespace": "tools",
        "per_service": per_service,
    }
    return Plan(**fields | changes)


def flux(plan: Plan, **options: str) -> dict[str, Any]:
    """The specs of the Kustomizations, by name."""
    check_plan(plan, "flux")
    options = {"interval": "1m", "clone_with": "", "decrypt_with": ""} | options
    repository, *kustomizations = make_flux(plan, **options)
    assert repository["kind"] == "GitRepository"
    return {each["metadata"]["name"]: each["spec"] for each in kustomizations}


@pytest.mark.parametrize(
    "url", [URL, "http://127.0.0.1:8080/app.git", "ssh://git@git.example.com:22/fleet.git", "https://[::1]/x"]
)
def test_urls(url: str) -> None:
    """Of http, https and ssh, which may have a user, are taken."""
    check_plan(make_plan(url=url), "flux")


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@git.example.com/x",
        "https://hunter2@git.example.com/x",
        "ssh://git:hunter2@git.example.com/x",
        "https://:hunter2@git.example.com/x",
        "https://git.example.com/x?private_token=hunter2",
        "https://git.example.com/x#hunter2",
    ],
)
def test_credentials_in_a_url(url: str) -> None:
    """They are refused, since what is printed is for git, and the message does not repeat them."""
    with pytest.raises(JsorcError, match="credentials do not belong into a URL") as caught:
        check_plan(make_plan(url=url), "flux")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "fleet",
        "git@git.example.com:x.git",
        "/srv/x",
        "file:///srv/x",
        "https://",
        "https://x:y/z",
        "https://a b/",
    ],
)
def test_what_is_no_url(url: str) -> None:
    """What one of the two tools could not clone from is refused."""
    with pytest.raises(JsorcError, match="no https:// or ssh:// URL"):
        check_plan(make_plan(url=url), "flux")


@pytest.mark.parametrize(("applier", "tool"), [("flux", "argocd"), ("argocd", "flux"), ("jsorc", "flux")])
def test_another_applier(applier: Applier, tool: Applier) -> None:
    """A tree that somebody else applies is refused, with what to write where."""
    with pytest.raises(SettingsError, match=f"applied by {applier}; write applier: {tool} into jsorc.yaml"):
        check_plan(make_plan(applier), tool)


@pytest.mark.parametrize(
    ("name", "per_service"), [("x" * 60, True), ("x" * 64, False), ("Shop", False), ("a..b", False)]
)
def test_names(name: str, *, per_service: bool) -> None:
    """A name that cannot be a label, with that of a service behind it, is refused."""
    with pytest.raises(JsorcError, match="choose another with --name"):
        check_plan(make_plan(name=name, per_service=per_service), "flux")


def test_flux_waits_for_what_a_service_depends_on() -> None:
    """Each Kustomization for the tree's own, and for those of the services in its dependsOn."""
    specs = flux(make_plan(per_service=True))

    assert {name: [each["name"] for each in spec.get("dependsOn", ())] for name, spec in specs.items()} == {
        "shop": [],
        "shop.redis": ["shop"],
        "shop.task": ["shop", "shop.redis"],
        "shop.api": ["shop", "shop.redis", "shop.task"],
    }
    assert [spec["path"] for spec in specs.values()] == [
        "./rendered",
        *(f"./rendered/{name}" for name in ("redis", "task", "api")),
    ]


def test_flux_decrypts() -> None:
    """Where SOPS has encrypted a Secret, with the keys that are named, or those of the cloud; else nowhere."""
    encrypted = "stringData: {password: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: 'ENC[x]', version: 3.9.0}\n"
    service = make_service({"secret.yaml": make_object("Secret", "key") + encrypted})
    plan = make_plan(tree=make_tree("applier: flux\n", service))

    assert flux(plan)["shop"]["decryption"] == {"provider": "sops"}
    assert flux(plan, decrypt_with="age")["shop"]["decryption"]["secretRef"] == {"name": "age"}
    assert "decryption" not in flux(make_plan(), decrypt_with="age")["shop"]


def test_argocd_may_do_what_the_tree_needs() -> None:
    """The project allows the namespaces and kinds of the tree, and no others."""
    role = make_object("ClusterRole", version=RBAC, more="rules: []\n")
    far = make_object("Service", more="  namespace: far\nspec: {ports: [{port: 80}]}\n")
    tree = make_tree(
        "applier: argocd\n", make_service({"a.yaml": f"{role}---\n{far}"}), make_service(name="mail")
    )

    spec = make_argocd(make_plan(tree=tree))[0]["spec"]

    assert spec["sourceRepos"] == [URL]
    assert [each["namespace"] for each in spec["destinations"]] == ["default", "far"]
    assert spec["clusterResourceWhitelist"] == [
        {"group": "", "kind": "Namespace"},
        {"group": "rbac.authorization.k8s.io", "kind": "ClusterRole"},
    ]
    assert spec["namespaceResourceWhitelist"] == [
        {"group": "", "kind": "ConfigMap"},
        {"group": "", "kind": "Service"},
    ]


def test_argocd_has_waves() -> None:
    """The project comes first, then the tree's own objects, then each service after those it depends on."""
    bodies = make_argocd(make_plan("argocd", per_service=True))

    waves = [
        (each["kind"], each["metadata"]["name"], each["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for each in bodies
    ]
    assert waves == [
        ("AppProject", "shop", "-1"),
        ("Application", "shop", "0"),
        ("Application", "shop.redis", "1"),
        ("Application", "shop.task", "2"),
        ("Application", "shop.api", "3"),
    ]


def test_only_a_removed_service_takes_its_objects_along() -> None:
    """The Application of a service deletes them when it goes; that of the tree never does."""
    whole = make_argocd(make_plan("argocd"))
    apart = make_argocd(make_plan("argocd", per_service=True))

    finalized = [each["metadata"]["name"] for each in (*whole, *apart) if "finalizers" in each["metadata"]]
    assert finalized == ["shop.redis", "shop.task", "shop.api"]


def test_a_circle() -> None:
    """Records that somebody edited until they depend on each other end in an error, not in waiting for ever."""
    tree = make_plan().tree
    record = replace(tree.records["redis"], depends_on=("api",))

    with pytest.raises(TreeError, match="circle"):
        flux(make_plan(tree=replace(tree, records={**tree.records, "redis": record}), per_service=True))

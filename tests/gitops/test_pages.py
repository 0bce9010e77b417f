"""docs/flux.md and docs/argocd.md: their commands, in order, on the real thing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.gitops.argocd import ArgoCD
from tests.gitops.flux import Flux
from tests.gitops.pages import follow_page
from tests.gitops.resets import Site
from tests.jaseci.proxy import Proxy
from tests.jaseci.server import Jaseci, Redis

pytestmark = [pytest.mark.real, pytest.mark.slow]

NAME = "jsorc.shop.default"


@pytest.fixture
def proxy(jaseci: Jaseci, redis: Redis) -> Iterator[Proxy]:
    """In front of Jaseci, which was started while Redis was down."""
    redis.start()
    with Proxy(jaseci.url) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, controlplane: ControlPlane, proxy: Proxy, jaseci: Jaseci) -> Iterator[Site]:
    """A clone of an empty repository."""
    made = Site(tmp_path, controlplane, "shop", proxy, jaseci.token)
    made.git("init", "--quiet", "--initial-branch=main")
    yield made
    controlplane.kubectl("delete", "namespace", "shop", "--ignore-not-found", "--wait=false")


def add_remote(site: Site, url: str) -> None:
    site.git("remote", "add", "origin", url)
    # What `git push` alone needs.
    site.git("config", "push.autoSetupRemote", "true")


def check_page(site: Site, page: str, outputs: list[str], held: str) -> None:
    """Each pass of the page does what the page says."""
    passes = [each for each in outputs if " on https://" in each]
    assert len(passes) == 4
    assert site.take_resets() == ["redis", "redis", "task", "redis", "task"]
    assert "Jaseci: reset, was failed" in passes[0]
    for each in passes[1:3]:
        assert "Deployment/shop/cache was rolled out, verified running" in each
    assert held in passes[3]
    # As the page quotes it.
    assert held in (Path(__file__).parents[2] / "docs" / page).read_text()


def test_flux_page(flux: Flux, site: Site, proxy: Proxy, tmp_path: Path) -> None:
    """The source is played, since source-controller cannot be built here; all else is as printed."""
    site.shell(f"git init --quiet --bare --initial-branch=main {tmp_path / 'fleet.git'}")
    add_remote(site, str(tmp_path / "fleet.git"))
    made = site.folder / "flux.yaml"

    def play_source(command: str) -> None:
        if "push" in command:
            flux.artifacts.publish(tmp_path / "fleet.git", "main", name=NAME, namespace="flux-system")
        if command.startswith("jsorc bootstrap"):
            text, count = re.subn(r"(sourceRef:\n +kind: )GitRepository", r"\1ExternalArtifact", made.read_text())
            assert count == 1
            made.write_text(text)

    outputs = follow_page(site, "flux.md", {"http://jaseci.example.com": proxy.url}, play_source)

    message = "suspended; nothing is applied until it is resumed"
    check_page(site, "flux.md", outputs, f"Kustomization/flux-system/{NAME} progressing: {message}")
    assert site.kubectl("delete", "--filename", str(made)).code == 0


@pytest.mark.argocd
def test_argocd_page(argocd: ArgoCD, site: Site, proxy: Proxy) -> None:
    """From git over http, as Argo CD itself fetches it; it looks every ten seconds."""
    url = argocd.git.create("fleet.git")
    add_remote(site, url)
    values = {"http://jaseci.example.com": proxy.url, "https://git.example.com/fleet.git": url}

    def look(command: str) -> None:
        if command == "git push":
            site.kubectl("annotate", "-n", "argocd", f"application/{NAME}", "argocd.argoproj.io/refresh=normal")

    outputs = follow_page(site, "argocd.md", values, look)

    message = "argocd.argoproj.io/skip-reconcile: nothing is applied until it is taken away"
    check_page(site, "argocd.md", outputs, f"Application/argocd/{NAME} progressing: {message}")
    assert site.kubectl("delete", "-n", "argocd", f"application/{NAME}", f"appproject/{NAME}").code == 0

"""The kubernetes package comes without what is not used here, which can still be imported."""

import subprocess
import sys

import pytest

LEAN = "from jsorc_gitops.adapters.lean import import_kubernetes; import_kubernetes(); import sys; "
UNUSED = {"jsonschema", "kubernetes_validate", "pydantic", "kubernetes.dynamic", "kubernetes.watch"}


@pytest.mark.parametrize(
    "code",
    [
        f"import jsorc_gitops.adapters.cluster; assert not {UNUSED} & {{*sys.modules}}",
        "import kubernetes, kubernetes_validate; assert kubernetes_validate.__file__",
        "import kubernetes.dynamic, kubernetes.watch; assert kubernetes.dynamic.DynamicClient",
        "from kubernetes.client import CoreV1Api, V1Pod; assert V1Pod().kind is None",
        "import_kubernetes(); import kubernetes.client; assert kubernetes.client.Configuration",
    ],
)
def test_what_is_imported(code: str) -> None:
    """None of it is loaded with kubernetes; who asks for it gets it."""
    subprocess.run([sys.executable, "-c", LEAN + code], check=True)


def test_a_client_is_made_for_who_wants_one() -> None:
    """The loader of credentials makes one to renew a token of OpenID Connect."""
    code = "import kubernetes.config.kube_config as loader; assert loader.ApiClient().call_api"
    subprocess.run([sys.executable, "-c", LEAN + code], check=True)


def test_a_package_that_is_loaded_stays() -> None:
    """Who has it already keeps it whole."""
    code = "import kubernetes; " + LEAN + "assert kubernetes.dynamic and sys.modules['kubernetes'] is kubernetes"
    subprocess.run([sys.executable, "-c", code], check=True)

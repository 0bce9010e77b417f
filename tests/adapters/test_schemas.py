"""The schemas of Kubernetes come out of an installed package, without any of its code."""

import json
import subprocess
import sys

import pytest

from jsorc_gitops.adapters import schemas
from jsorc_gitops.adapters.schemas import read_kubernetes_schemas
from jsorc_gitops.errors import DefinitionError


def test_the_schemas_are_read() -> None:
    """One JSON document with the definitions of all kinds."""
    definitions = json.loads(read_kubernetes_schemas())["$defs"]

    assert {"io.k8s.api.apps.v1.Deployment", "io.k8s.api.core.v1.PodSpec"} <= definitions.keys()


def test_nothing_of_the_package_is_imported() -> None:
    """Its code would bring two more libraries, and a quarter of a second."""
    program = (
        "import sys\n"
        "from jsorc_gitops.adapters.schemas import read_kubernetes_schemas\n"
        "read_kubernetes_schemas()\n"
        "print(*sorted({'kubernetes_validate', 'jsonschema', 'referencing'} & sys.modules.keys()))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "\n"


@pytest.mark.parametrize(("name", "value"), [("_PACKAGE", "another_package"), ("_FILE", "another.json")])
def test_a_package_that_is_not_there_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is told as one."""
    monkeypatch.setattr(schemas, name, value)

    with pytest.raises(DefinitionError, match=rf"the schemas of Kubernetes are not there \(.*{value}.*install"):
        read_kubernetes_schemas()

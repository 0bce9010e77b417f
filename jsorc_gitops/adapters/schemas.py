"""The door to the schemas of Kubernetes: the data of the package kubernetes-validate, never its code."""

from importlib.machinery import PathFinder
from pathlib import Path

from jsorc_gitops.errors import DefinitionError

_PACKAGE = "kubernetes_validate"
_FILE = "kubernetes-json-schema/v1.36.0-local-strict/_definitions.json"


def read_kubernetes_schemas() -> str:
    """The OpenAPI definitions of Kubernetes 1.36 as one JSON document of 1.6 MB, in which no field is left open.

    Raises DefinitionError where the package is not there, or is of another release.
    """
    # Finds without importing, which would take ten times as long as reading.
    package = PathFinder.find_spec(_PACKAGE)
    folders = (package and package.submodule_search_locations) or [""]
    try:
        return (Path(folders[0]) / _FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise DefinitionError(
            f"the schemas of Kubernetes are not there ({_PACKAGE}/{_FILE}); install jsorc-gitops again"
        ) from error

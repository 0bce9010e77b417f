"""Imports the kubernetes package without a third of what it would load."""

import sys


def import_kubernetes() -> None:
    """To be called before the first import of that package; afterwards it changes nothing.

    Its dynamic client, which it imports and we do not use, looks for the package kubernetes-validate, which is
    there for its schemas, and would load all of that and of jsonschema: 0.1 s.
    """
    if "kubernetes" in sys.modules or "kubernetes_validate" in sys.modules:
        return
    # To Python that means: not installed.
    sys.modules["kubernetes_validate"] = None  # type: ignore[assignment]
    try:
        import kubernetes  # noqa: F401
    finally:
        del sys.modules["kubernetes_validate"]

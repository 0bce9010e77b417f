"""Imports of the kubernetes package only what is used here."""

import importlib.util
import sys
from typing import Any


def import_kubernetes() -> None:
    """To be called before the first import of that package; afterwards it changes nothing.

    By itself it would load its client of typed models, its dynamic client, streams and watches, and for these
    pydantic and jsonschema: 0.1 of 0.28 s.
    """
    spec = importlib.util.find_spec("kubernetes")
    if "kubernetes" in sys.modules or spec is None:
        return
    # The package without what its __init__ would load: whoever asks for a part of it gets that.
    sys.modules["kubernetes"] = importlib.util.module_from_spec(spec)
    import kubernetes.client

    kubernetes.__version__ = kubernetes.client.__version__  # its parts ask for it
    kubernetes.client.ApiClient = _make_client


def _make_client(*arguments: Any, **options: Any) -> Any:
    """What the loader of credentials makes when an OpenID Connect token has run out."""
    from kubernetes.client.api_client import ApiClient

    return ApiClient(*arguments, **options)

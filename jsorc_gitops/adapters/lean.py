"""Imports of the kubernetes package only what is used here."""

import importlib.util
import sys
from typing import Any


def import_kubernetes() -> None:
    """To be called before the first import of that package; afterwards it changes nothing.

    By itself it would load its dynamic client, its streams and its watches, and for all of these pydantic and
    jsonschema: half of what importing it takes, and more than a pass with nothing to do takes besides.
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

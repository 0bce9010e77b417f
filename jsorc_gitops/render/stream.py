"""A tree as one document for a pipe: its objects in the order of applying, each as its file has it."""

import json
from collections.abc import Iterable

from jsorc_gitops.model.objects import Manifest, sort_key
from jsorc_gitops.model.yaml import format_documents


def format_stream(manifests: Iterable[Manifest]) -> str:
    """YAML documents with `---` between them."""
    return format_documents(each.body for each in _sort(manifests))


def format_list(manifests: Iterable[Manifest]) -> str:
    """One List, as kubectl get --output json prints it."""
    document = {
        "apiVersion": "v1",
        "items": [each.body for each in _sort(manifests)],
        "kind": "List",
        "metadata": {"resourceVersion": ""},
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _sort(manifests: Iterable[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda each: sort_key(each.ref))

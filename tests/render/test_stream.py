"""The tree for a pipe: the bodies of the files, in the order of applying."""

import json

from jsorc_gitops.model.objects import sort_key
from jsorc_gitops.model.yaml import parse_documents
from jsorc_gitops.render.stream import format_list, format_stream
from tests.model.builders import make_deployment, make_manifest

MANIFESTS = [
    make_manifest("ValidatingWebhookConfiguration", version="admissionregistration.k8s.io/v1", namespace=""),
    make_deployment(),
    make_manifest("Service"),
    make_manifest(name="text", data={"a": "y", "b": "1\n2\n", "ü": "ü"}),
    make_manifest("Namespace", namespace=""),
]


def test_the_order_of_applying() -> None:
    """Whatever order they come in, Namespaces are first and webhooks last, in both forms."""
    expected = [each.body for each in sorted(MANIFESTS, key=lambda each: sort_key(each.ref))]

    assert [each.value for each in parse_documents(format_stream(MANIFESTS), source="")] == expected
    assert json.loads(format_list(MANIFESTS))["items"] == expected
    assert [each["kind"] for each in expected] == [
        "Namespace",
        "ConfigMap",
        "Service",
        "Deployment",
        "ValidatingWebhookConfiguration",
    ]


def test_a_list_like_kubectls() -> None:
    """The List has the keys of that of kubectl get --output json."""
    document = json.loads(format_list(MANIFESTS))

    assert document.keys() == {"apiVersion", "items", "kind", "metadata"}
    assert (document["apiVersion"], document["kind"]) == ("v1", "List")

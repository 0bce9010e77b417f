"""JsOrc's shapes of a kube config are flattened to their objects, unchanged and in order."""

from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.render.shapes import flatten_objects


def make(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}


WEB, CACHE, MAP = make("Service", "web"), make("Service", "cache"), make("ConfigMap", "kind")


@pytest.mark.parametrize(
    ("value", "objects"),
    [
        (None, []),
        ({}, []),
        ([], []),
        ({"Service": []}, []),
        ({"Service": {}}, []),
        (WEB, [WEB]),
        ([MAP, WEB], [MAP, WEB]),
        ({"Service": [WEB, CACHE], "ConfigMap": [MAP]}, [WEB, CACHE, MAP]),
        ({"Service": {"web": WEB, "cache": CACHE}, "ConfigMap": {"kind": MAP}}, [WEB, CACHE, MAP]),
        ({"Service": CACHE, "ConfigMap": MAP}, [CACHE, MAP]),
        ({"ConfigMap": [MAP], "Service": {"web": WEB, "cache": CACHE}}, [MAP, WEB, CACHE]),
        ([{"Service": WEB}, MAP, [CACHE]], [WEB, MAP, CACHE]),
        ({"Service": [WEB], "__OLD_CONFIG__": {"Service": ["old"]}, "__UNSAFE_PARAPHRASE__": "I know"}, [WEB]),
    ],
)
def test_shapes(value: Any, objects: list[Any]) -> None:
    """Lists, objects by name, single objects and mixes of them; JsOrc's own notes are no kinds."""
    assert flatten_objects(value, where="x") == objects


@pytest.mark.parametrize(
    "lacking", [{"kind": "Service"}, {"apiVersion": "v1"}, {"metadata": {"name": "web"}, "spec": {}}]
)
@pytest.mark.parametrize("shape", [lambda each: each, lambda each: {"Service": [each]}])
def test_objects_that_lack_something_are_objects(lacking: dict[str, Any], shape: Any) -> None:
    """Nothing is added to them, so that whoever reads them can say what is missing."""
    assert flatten_objects(shape(lacking), where="x") == [lacking]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("Service", "x: neither an object nor a mapping or list of objects, but 'Service'"),
        ([WEB, 7], "x[1]: neither an object nor a mapping or list of objects, but 7"),
        ({"Service": None}, "x: Service: must be an object of kind Service, not None"),
        ({"Service": "web"}, "x: Service: must be an object of kind Service, not 'web'"),
        ({"Service": [WEB, None]}, "x: Service[1]: must be an object of kind Service, not None"),
        (
            {"Service": {"web": [WEB]}},
            "x: Service.web: must be an object of kind Service, not [{'apiVersion': 'v1', ",
        ),
        ({"Service": [MAP]}, "x: Service[0]: an object of kind ConfigMap stands below Service"),
        ({"Service": {"web": CACHE}}, "x: Service.web: metadata.name says 'cache'"),
        ({"error": "while parsing"}, "x: error: must be an object of kind error, not 'while parsing'"),
    ],
)
def test_what_has_no_shape(value: Any, complaint: str) -> None:
    """The error names the part that is odd."""
    with pytest.raises(DefinitionError) as caught:
        flatten_objects(value, where="x")
    assert str(caught.value).startswith(complaint)

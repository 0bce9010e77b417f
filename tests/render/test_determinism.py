"""Two renderings of the same definitions: every field that differs is a finding."""

from collections.abc import Sequence

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.layout import format_tree
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.render.determinism import check_again
from jsorc_gitops.render.findings import FindingsError
from jsorc_gitops.render.publish import compare
from tests.model.builders import index, make_deployment, make_manifest

FIRST = [make_deployment(), make_manifest("Secret", "s", stringData={"a": "1"}), make_manifest(args=["a", "b"])]


def find(second: Sequence[Manifest]) -> list[str]:
    """What is found where the second rendering makes these."""
    files = format_tree(FIRST, tree="default")
    rendering = compare(files, {"default": index(*FIRST)}, files, folders=("",))
    try:
        check_again(rendering, format_tree(second, tree="default"), mask_key=b"key")
    except FindingsError as error:
        return [str(each) for each in error.findings]
    return []


def test_the_same_is_found_nothing() -> None:
    """In whatever order the objects are made."""
    assert find(FIRST) == find(FIRST[::-1]) == []


@pytest.mark.parametrize(
    ("place", "other", "words"),
    [
        (
            0,
            make_deployment(replicas=3),
            "Deployment/default/redis: spec.replicas: is 1, and 3 when it is rendered",
        ),
        (
            2,
            make_manifest(args=["b", "a"]),
            "ConfigMap/default/x: args: comes in another order when it is rendered",
        ),
        (2, make_manifest(), "ConfigMap/default/x: args: is [a, b], and nothing when it is rendered"),
    ],
)
def test_a_field(place: int, other: Manifest, words: str) -> None:
    """With both values, or that the order is another; then the file."""
    [found] = find([other if number == place else each for number, each in enumerate(FIRST)])

    path = f"rendered/redis/{other.ref.kind}.yaml"
    assert found == f"templates/redis: {words} a second time ({path})"


def test_an_object_of_one_rendering() -> None:
    """Is told once for each, with the rendering that has it."""
    found = find([*FIRST[:2], make_manifest(name="y", args=["a", "b"])])

    assert [each.removesuffix(" (rendered/redis/ConfigMap.yaml)") for each in found] == [
        "templates/redis: ConfigMap/default/y: is there only when it is rendered a second time",
        "templates/redis: ConfigMap/default/x: is there only when it is rendered first",
    ]


def test_a_secret_is_masked() -> None:
    """Neither value is told."""
    [found] = find([FIRST[0], make_manifest("Secret", "s", stringData={"a": "2"}), FIRST[2]])

    assert found.startswith("templates/redis: Secret/default/s: stringData.a: is masked:")


def test_bytes_alone() -> None:
    """Files that differ though all objects are the same are named, too."""
    files = format_tree(FIRST, tree="default")
    rendering = compare(files, {"default": index(*FIRST)}, files, folders=("",))

    with pytest.raises(DefinitionError, match=r"^rendered/kustomization.yaml is other bytes"):
        check_again(rendering, {**files, "kustomization.yaml": ""}, mask_key=b"key")

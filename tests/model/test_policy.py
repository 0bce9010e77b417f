"""What a service allows to be done with its objects: read, carried in its record, asked by path."""

import json

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.policy import ApplyPolicy, format_policy
from jsorc_gitops.model.services import format_record, parse_definition, parse_record
from tests.reconcile.builders import make_record
from tests.render.builders import make_service


def parse(text: str) -> ApplyPolicy:
    return parse_definition(make_service(text, name="web"), services=frozenset(["web"])).policy


def test_by_default_nothing_is_allowed() -> None:
    """A service.yaml without a word, and what its record then says of it: nothing."""
    assert parse("") == ApplyPolicy(adopt=False, recreate=False, conflicts={})
    assert format_policy(parse("adopt: refuse\nrecreate: never\nconflicts: {}\n")) == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("adopt: true", "templates/web/service.yaml:1: adopt: must be a text, not True"),
        ("adopt: always", "templates/web/service.yaml:1: adopt: must be refuse or allow, not 'always'"),
        ("recreate: yes", "templates/web/service.yaml:1: recreate: must be a text, not True"),
        (
            "conflicts: {spec.replicas: ignore}",
            "templates/web/service.yaml:1: conflicts.spec.replicas: must be take, yield or fail, not 'ignore'",
        ),
        ("conflicts: [spec]", "templates/web/service.yaml:1: conflicts: must be a mapping of keys to values"),
    ],
)
def test_mistakes(text: str, complaint: str) -> None:
    """Each names its line, its key and what is allowed."""
    with pytest.raises(DefinitionError) as caught:
        parse(text)

    assert str(caught.value) == complaint


def test_a_record_carries_it() -> None:
    """What was written is read back; a record of an older jsorc says nothing of it."""
    policy = parse("adopt: allow\nrecreate: allow\nconflicts: {.data: take, spec.replicas: yield}\n")
    record = make_record("web", policy=policy)

    text = format_record(record)

    assert parse_record(text, where="web").policy == policy
    assert json.loads(text)["conflicts"] == {".data": "take", ".spec.replicas": "yield"}
    assert parse_record(format_record(make_record("web")), where="web").policy == ApplyPolicy()


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        (".spec", ""),
        (".spec.template", "take"),
        (".spec.template.spec", "take"),
        (".spec.templates", ""),
        ('.spec.template.spec.containers[name="a"].image', "fail"),
        ('.spec.template.spec.containers[name="ab"].image', "take"),
    ],
)
def test_the_longest_path_counts(path: str, verdict: str) -> None:
    """A path covers what lies below it, in fields and items, and nothing beside it."""
    policy = parse("conflicts: {spec.template: take, 'spec.template.spec.containers[name=\"a\"]': fail}")

    assert policy.find_verdict(path) == verdict

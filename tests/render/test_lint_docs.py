"""docs/lint.md says of every rule what it is."""

import re
from pathlib import Path

import pytest

from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.render.findings import Finding, Rule

PAGE = (Path(__file__).parents[2] / "docs/lint.md").read_text()


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_has_its_place(rule: Rule) -> None:
    """A row with its severity, and a heading with a text below it."""
    ref = ObjectRef(group="", kind="ConfigMap", namespace="default", name="x")
    severity = Finding(where="", ref=ref, path="", message="", rule=rule).severity

    assert f"| [`{rule}`](#{rule}) | {severity} |" in PAGE
    assert re.search(rf"^### `{rule}`\n\n[A-Z`]", PAGE, re.MULTILINE)


def test_no_other_rule_is_told_of() -> None:
    """What the page has, the code has."""
    assert set(re.findall(r"^### `(.+)`$", PAGE, re.MULTILINE)) == set(Rule)

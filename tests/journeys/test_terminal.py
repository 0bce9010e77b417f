"""What the commands print, on terminals and into logs of all kinds."""

from pathlib import Path

from tests.render.commands import start
from tests.render.worktree import Worktree

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {image: "{{ values.image }}"}
"""


def test_a_log_that_cannot_show_an_arrow(tmp_path: Path) -> None:
    """What is done is reported as well as the output's encoding allows, and is no bug of ours."""
    work = Worktree(tmp_path / "work")
    files = {"jsorc.yaml": "", "templates/a/a.yaml.j2": TEMPLATE}
    work.commit({**files, "templates/a/service.yaml": "values: {image: 'redis:6'}\n"})
    assert start("render", cwd=work.root, PYTHONIOENCODING="latin-1").code == 0
    work.commit({"templates/a/service.yaml": "values: {image: 'redis:7'}\n"})

    outcome = start("render", cwd=work.root, PYTHONIOENCODING="latin-1")

    assert (outcome.code, outcome.err) == (0, "")
    assert "image 6?7" in outcome.out

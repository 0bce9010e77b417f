"""Runs the commands of a page of docs/ as somebody does who follows it."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.gitops.resets import CACHE, Site

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(?P<kind>console|yaml)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def read_blocks(page: str, kind: str) -> list[str]:
    return [each["text"] for each in _BLOCK.finditer((DOCS / page).read_text()) if each["kind"] == kind]


def read_commands(page: str) -> list[str]:
    lines = (line for block in read_blocks(page, "console") for line in block.splitlines())
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def follow_page(site: Site, page: str, values: Mapping[str, str], after: Callable[[str], None]) -> list[str]:
    """What each command printed; `values` stand in the place of the page's addresses.

    `after` is called with each command that was carried out.
    """

    def fill(text: str) -> str:
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    [settings] = read_blocks(page, "yaml")
    site.write("jsorc.yaml", fill(settings))
    site.write("templates/redis/objects.yaml", CACHE.format(version="7.2"))
    # As where jsorc is installed and kubectl on PATH.
    programs = [str(Path(sys.executable).parent), str(site.controlplane.kubectl_path.parent)]
    site.env["PATH"] = ":".join([*programs, site.env["PATH"]])
    outputs = []
    for command in map(fill, read_commands(page)):
        done = site.shell(command)
        assert done.code == 0, f"{command}\n{done.output}"
        outputs.append(done.output)
        after(command)
    return outputs

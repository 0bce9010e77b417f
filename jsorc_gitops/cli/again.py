"""The second rendering of `jsorc render --check --determinism`; adapters/shifted.py starts it as a process."""

import json
from pathlib import Path

import click

from jsorc_gitops.adapters.shifted import shift
from jsorc_gitops.cli.rendering import read_inputs, render_inputs
from jsorc_gitops.errors import JsorcError


def main() -> None:
    """Answer the request: {files} by path, or {error}."""
    answer: dict[str, object]
    request = shift()
    try:
        inputs = read_inputs(
            Path(request["root"]), request["environments"], interpreter=request["interpreter"], alone=True
        )
        answer = {"files": dict(render_inputs(inputs, shifted=True).files)}
    except JsorcError as error:
        answer = {"error": str(error)}
    click.echo(json.dumps(answer))


if __name__ == "__main__":
    main()

"""`jsorc render`: service definitions to rendered/, and into a commit."""

import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--env", "environments", metavar="NAME", multiple=True, help="Only this environment; repeatable.")
@click.option("--check", is_flag=True, help="Write nothing; exit 6 when rendered/ is not what would be written.")
@click.option(
    "--determinism",
    is_flag=True,
    help="With --check: render a second time, under another clock, locale and so on, and compare.",
)
@click.option("--staged", is_flag=True, help="With --check: what git has staged instead of what lies on disk.")
@click.option(
    "--against",
    metavar="REVISION",
    help="With --check: compare with rendered/ at this revision, and tell what a cluster would refuse.",
)
@click.option(
    "--allow",
    metavar="RULE|OBJECT|SERVICE",
    multiple=True,
    help="With --against: allow this danger; repeatable. One that is not allowed is exit 1.",
)
@click.option(
    "--diff",
    "whole",
    is_flag=True,
    help="Print every changed field with its values, those of Secrets masked.",
)
@click.option(
    "--stdout",
    "streaming",
    is_flag=True,
    help="Print the tree, for kubectl apply -f - and the like, and write nothing.",
)
@click.option(
    "--output",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    help="How it is told: json is one document; markdown, with --against, a comment for a pull request.",
)
@click.option("--commit", "committing", is_flag=True, help="Commit rendered/, and nothing else, when it changed.")
@click.option(
    "--branch", metavar="NAME", help="Commit rendered/ to this branch instead, which is not checked out."
)
@click.option(
    "--push",
    "pushing",
    is_flag=True,
    help="Push the branch; where others were first, render again on theirs.",
)
@click.option(
    "--allow-prune",
    metavar="SERVICE",
    multiple=True,
    help="Consent, in the commit, to pruning this service beyond the prune budget.",
)
@click.option("--allow-dirty", is_flag=True, help="Commit what templates/ make as they are, committed or not.")
@click.option(
    "--python",
    "interpreter",
    metavar="PROGRAM",
    default=sys.executable,
    help="The Python, 3.8 or newer, that builds Python definitions. Default: the one that runs jsorc.",
)
@click.option("--force", is_flag=True, help="Overwrite files in rendered/ that were edited by hand.")
@click.pass_obj
def render(root: "Path", /, **given: Any) -> int:
    """Turn the services under templates/ into grouped manifests under rendered/."""
    from jsorc_gitops.cli.modes import Options, run_render

    return run_render(root, Options(**given))

"""What a pass says: to a person a report, to a program an event a line and a summary."""

import json
from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.stdout import Stdout
from jsorc_gitops.cli.terminal import clean_text, wants_colour

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from jsorc_gitops.errors import JsorcError
    from jsorc_gitops.reconcile.report import Ending, ObjectResult, Report

_STYLES: "Mapping[str, Mapping[str, Any]]" = {
    "plain": {},
    "heading": {"bold": True},
    "made": {"fg": "green"},
    "changed": {"fg": "yellow"},
    "gone": {"fg": "magenta"},
    "warning": {"fg": "yellow"},
    "bad": {"fg": "red"},
}


def make_teller(output: str) -> "Teller":
    return JsonTeller() if output == "json" else TextTeller()


class TextTeller:
    """Prints the report; what is known before it goes to standard error at once."""

    def tell_warning(self, text: str) -> None:
        click.echo(f"warning: {clean_text(text)}", err=True)

    def tell_part(self, part: "Report", *, quiet: bool) -> None:
        """A person reads the report, grouped by service, at the end."""

    def tell_report(self, report: "Report", ending: "Ending", *, quiet: bool) -> None:  # noqa: ARG002
        from jsorc_gitops.reconcile.report import format_report

        colour = wants_colour()
        for text, tone in format_report(report, quiet=quiet):
            click.echo(click.style(clean_text(text), **_STYLES[tone]), color=colour)

    def tell_error(self, error: "JsorcError", ending: "Ending") -> None:
        """The porch says it on standard error."""


class JsonTeller:
    """Prints events as they happen; what goes to standard error as text does so besides."""

    def __init__(self) -> None:
        self._stdout = Stdout()
        self._told: list[ObjectResult] = []
        self._full: OSError | None = None

    def tell_warning(self, text: str) -> None:
        from jsorc_gitops.reconcile.events import make_message

        click.echo(f"warning: {clean_text(text)}", err=True)
        self._print(make_message("warning", text))

    def tell_part(self, part: "Report", *, quiet: bool) -> None:
        from jsorc_gitops.reconcile.events import make_events

        self._told += part.objects
        try:
            for event in make_events(part, quiet=quiet):
                self._print(event)
        except OSError as error:
            # A log that is full is no reason to leave a cluster half done.
            self._full = error

    def tell_report(self, report: "Report", ending: "Ending", *, quiet: bool) -> None:  # noqa: ARG002
        """What happened was told part by part."""
        from jsorc_gitops.reconcile.events import make_summary

        if self._full:
            raise self._full
        self._print(make_summary(report, ending))
        if not ending.exit_code:
            self._stdout.finish()

    def tell_error(self, error: "JsorcError", ending: "Ending") -> None:
        from jsorc_gitops.reconcile.events import make_message, make_summary
        from jsorc_gitops.reconcile.report import Report

        self._print(make_message("error", str(error)))
        self._print(make_summary(Report(revision="", objects=tuple(self._told)), ending, error))

    def _print(self, event: "Mapping[str, Any]") -> None:
        # In bytes: JSON is UTF-8 whatever the locale is.
        self._stdout.say((json.dumps(event, ensure_ascii=False) + "\n").encode(), nl=False)


Teller = TextTeller | JsonTeller

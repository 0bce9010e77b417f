"""What a pass says: to a person a report, to a program an event a line and a summary."""

import json
from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.stdout import Stdout
from jsorc_gitops.cli.terminal import clean_text, wants_colour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from jsorc_gitops.errors import JsorcError
    from jsorc_gitops.reconcile.report import Ending, Line, Report

STYLES: "Mapping[str, Mapping[str, Any]]" = {
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

    def __init__(self) -> None:
        self._parts: list[Report] = []
        self._quiet = True

    def tell_warning(self, text: str) -> None:
        click.echo(f"warning: {clean_text(text)}", err=True)

    def tell_part(self, part: "Report", *, quiet: bool) -> None:
        """A person reads the report, grouped by service, at the end."""
        self._parts.append(part)
        self._quiet = quiet

    def tell_report(self, report: "Report", ending: "Ending", *, quiet: bool) -> None:  # noqa: ARG002
        from jsorc_gitops.reconcile.report import format_report

        print_lines(format_report(report, quiet=quiet))

    def tell_error(self, error: "JsorcError", ending: "Ending") -> None:  # noqa: ARG002
        """What was done until then; the porch says the error, on standard error."""
        self.tell_interrupt()

    def tell_interrupt(self) -> None:
        """What was done until then."""
        from jsorc_gitops.reconcile.report import format_body, join_reports

        print_lines(format_body(join_reports(self._parts), quiet=self._quiet))


def print_lines(lines: "Iterable[Line]") -> None:
    colour = wants_colour()
    for text, tone in lines:
        click.echo(click.style(clean_text(text), **STYLES[tone]), color=colour)


class JsonTeller:
    """Prints events as they happen; what goes to standard error as text does so besides."""

    def __init__(self) -> None:
        self._stdout = Stdout()
        self._parts: list[Report] = []
        self._full: OSError | None = None

    def tell_warning(self, text: str) -> None:
        from jsorc_gitops.reconcile.events import make_message

        click.echo(f"warning: {clean_text(text)}", err=True)
        self._print(make_message("warning", text))

    def tell_part(self, part: "Report", *, quiet: bool) -> None:
        from jsorc_gitops.reconcile.events import make_events

        known = {health.ref for each in self._parts for _, health in each.healths}
        self._parts.append(part)
        try:
            for event in make_events(part, quiet=quiet, known=known):
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
        from jsorc_gitops.reconcile.report import join_reports

        self._print(make_message("error", str(error)))
        self._print(make_summary(join_reports(self._parts), ending, error))

    def tell_interrupt(self) -> None:
        """What was done was told as it happened."""

    def _print(self, event: "Mapping[str, Any]") -> None:
        # In bytes: JSON is UTF-8 whatever the locale is.
        self._stdout.say((json.dumps(event, ensure_ascii=False) + "\n").encode(), nl=False)


Teller = TextTeller | JsonTeller

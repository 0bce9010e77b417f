"""What `jsorc render` says: to a person as it happens, to a program as one document at the end."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.stdout import Stdout, say_last

if TYPE_CHECKING:
    from jsorc_gitops.cli.rendering import Inputs
    from jsorc_gitops.errors import JsorcError
    from jsorc_gitops.render.changes import ServiceChange
    from jsorc_gitops.render.delivery import Delivery
    from jsorc_gitops.render.memo import Memo
    from jsorc_gitops.render.outcome import Commit, Result
    from jsorc_gitops.render.publish import Rendering
    from jsorc_gitops.render.report import Comparison


def make_printer(output: str, *, whole: bool) -> "Printer":
    return JsonPrinter() if output == "json" else TextPrinter(whole=whole, comment=output == "markdown")


def print_warnings(warnings: Sequence[str]) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def print_notes(notes: Sequence[str]) -> None:
    for note in notes:
        click.echo(f"note: {note}", err=True)


class TextPrinter:
    """Says it at once; `whole` tells every field, `comment` a comparison as for a pull request."""

    def __init__(self, *, whole: bool, comment: bool) -> None:
        self.whole = whole
        self._comment = comment
        self._stdout = Stdout()
        self._failed = False

    def tell_known(self, memo: "Memo") -> None:
        print_warnings(memo.warnings)
        self._stdout.say(f"rendered/ is up to date: {memo.objects} objects.")

    def tell_committed(self, memo: "Memo") -> None:
        print_warnings(memo.warnings)
        self._print_unchanged(memo.objects)

    def tell_rendered(self, rendering: "Rendering") -> None:
        print_warnings(rendering.warnings)
        print_notes(rendering.notes)

    def tell_files(self, inputs: "Inputs", rendering: "Rendering", *, written: bool) -> None:
        """What differs from rendered/ as it lay there."""
        diff = rendering.diff
        if not diff:
            self._stdout.say(f"rendered/ is up to date: {rendering.objects} objects.")
            return
        self._print_changes(inputs, rendering, rendering.changes, inputs.on_disk)
        words = ((diff.added, "added"), (diff.changed, "changed"), (diff.removed, "removed"))
        counts = [f"{len(paths)} {word}" for paths, word in words if paths]
        verb = "was" if written else "would be"
        if not written:
            for edit in rendering.format_edits():
                self._stdout.say(f"{edit}: move the edit to templates/, or overwrite it with --force")
        self._stdout.say(f"rendered/ {verb} written: {', '.join(counts)} of {len(rendering.files)} files.")

    def tell_comparison(
        self,
        rendering: "Rendering",  # noqa: ARG002 - the other printer's
        files: Mapping[str, str],  # noqa: ARG002
        comparisons: "Sequence[Comparison]",
        *,
        allow: Collection[str],
    ) -> None:
        """What differs from what a revision had in these files."""
        from jsorc_gitops.render.comment import format_comment
        from jsorc_gitops.render.report import format_text

        if self._comment:
            self._stdout.say(format_comment(comparisons, allow=allow), nl=False)
        else:
            self._stdout.say("\n".join(format_text(comparisons, allow=allow, whole=self.whole)))

    def tell_commit(
        self,
        inputs: "Inputs",
        since: "Rendering",
        changes: "Sequence[ServiceChange]",
        commit: "Commit | None",
        *,
        before: Mapping[str, str],
        against: str,  # noqa: ARG002 - the other printer's
        elsewhere: bool,
    ) -> None:
        """What a commit changed; `since` and `before` count where every field is told."""
        self._print_changes(inputs, since, changes, before)
        if commit is None:
            self._print_unchanged(since.objects)
        else:
            self._stdout.say(f"Committed {commit.revision[:12]}{f' to {commit.branch}' if elsewhere else ''}.")

    def tell_push(self, push: "Delivery") -> None:
        from jsorc_gitops.render.delivery import Ending

        said = {
            Ending.PUSHED: f"Pushed {push.revision[:12]} to {push.place}.",
            Ending.UP_TO_DATE: f"{push.place} has it already, at {push.revision[:12]}.",
            Ending.NEWER: f"{push.place} has a newer render already, {push.revision[:12]}.",
        }
        self._stdout.say(said[push.ending])

    def tell_error(self, error: "JsorcError") -> None:  # noqa: ARG002 - the other printer's
        """The porch says it on stderr."""
        self._failed = True

    def finish(self) -> None:
        """All is said."""
        if not self._failed:
            self._stdout.finish()

    def _print_unchanged(self, objects: int) -> None:
        self._stdout.say(f"Nothing changed: {objects} objects as committed.")

    def _print_changes(
        self,
        inputs: "Inputs",
        rendering: "Rendering",
        changes: "Sequence[ServiceChange]",
        before: Mapping[str, str],
    ) -> None:
        """A line for each object that changed, or every field."""
        if self.whole:
            from jsorc_gitops.render.outcome import compare_files
            from jsorc_gitops.render.wording import format_diff

            key = inputs.read_mask_key()
            for comparison in compare_files(rendering, before, against="", mask_key=key):
                for diff in comparison.diffs:
                    self._stdout.say("\n".join(format_diff(diff)))
            return
        lines = [
            line for each in changes for line in (each.service or "tree", *(f"  {word}" for word in each.lines))
        ]
        if lines:
            self._stdout.say("\n".join(lines))


class JsonPrinter:
    """Gathers it; `finish` prints it. Warnings and errors go to stderr as text besides."""

    whole = True

    def __init__(self) -> None:
        from jsorc_gitops.render.outcome import Outcome

        self._outcome = Outcome()

    def tell_rendered(self, rendering: "Rendering") -> None:
        print_warnings(rendering.warnings)
        print_notes(rendering.notes)
        self._outcome = replace(self._outcome, rendering=rendering)

    def tell_files(self, inputs: "Inputs", rendering: "Rendering", *, written: bool) -> None:
        from jsorc_gitops.render.outcome import Result

        if rendering.diff:
            result = Result.WRITTEN if written else Result.DIFFERENT
            self._tell_changes(inputs, rendering, inputs.on_disk, against="", result=result)

    def tell_comparison(
        self,
        rendering: "Rendering",
        files: Mapping[str, str],
        comparisons: "Sequence[Comparison]",
        *,
        allow: Collection[str],
    ) -> None:
        from jsorc_gitops.render.outcome import Result, diff_revision
        from jsorc_gitops.render.report import find_refused

        differs = any(each.diffs for each in comparisons)
        result = Result.DIFFERENT if differs else Result.UNCHANGED
        self._outcome = replace(
            self._outcome,
            result=Result.REFUSED if find_refused(comparisons, allow) else result,
            comparisons=tuple(comparisons),
            allow=allow,
            files=diff_revision(rendering, files),
        )

    def tell_commit(
        self,
        inputs: "Inputs",
        since: "Rendering",
        changes: "Sequence[ServiceChange]",  # noqa: ARG002 - the other printer's
        commit: "Commit | None",
        *,
        before: Mapping[str, str],
        against: str,
        elsewhere: bool,  # noqa: ARG002
    ) -> None:
        from jsorc_gitops.render.outcome import Result

        result = Result.COMMITTED if commit else Result.UNCHANGED
        self._tell_changes(inputs, since, before, against=against, result=result)
        self._outcome = replace(self._outcome, commit=commit)

    def tell_push(self, push: "Delivery") -> None:
        self._outcome = replace(self._outcome, push=push)

    def tell_error(self, error: "JsorcError") -> None:
        from jsorc_gitops.render.outcome import Result

        self._outcome = replace(self._outcome, result=Result.REFUSED, error=error)

    def finish(self) -> None:
        from jsorc_gitops.render.outcome import format_outcome

        document = format_outcome(self._outcome).encode()
        if self._outcome.error:
            # It is still to be told on stderr.
            Stdout().say(document, nl=False)
        else:
            say_last(document)

    def _tell_changes(
        self,
        inputs: "Inputs",
        rendering: "Rendering",
        before: Mapping[str, str],
        *,
        against: str,
        result: "Result",
    ) -> None:
        from jsorc_gitops.render.outcome import compare_files

        compared = compare_files(rendering, before, against=against, mask_key=inputs.read_mask_key())
        self._outcome = replace(self._outcome, result=result, comparisons=compared, files=rendering.diff)


Printer = TextPrinter | JsonPrinter

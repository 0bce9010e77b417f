"""What `jsorc render` does, by its options; imported where it runs, since --help needs none of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.printing import Printer, TextPrinter, make_printer
from jsorc_gitops.cli.rendering import Inputs, check_determinism, read_inputs, recall, remember, render_inputs
from jsorc_gitops.errors import JsorcError

if TYPE_CHECKING:
    from jsorc_gitops.render.commit import CommitOptions
    from jsorc_gitops.render.publish import Rendering

EXIT_DIFFERENCES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, as click has parsed it."""

    environments: tuple[str, ...]
    check: bool
    determinism: bool
    staged: bool
    against: str | None
    allow: tuple[str, ...]
    whole: bool
    streaming: bool
    output: str
    committing: bool
    branch: str | None
    pushing: bool
    allow_prune: tuple[str, ...]
    allow_dirty: bool
    force: bool
    interpreter: str

    @property
    def delivers(self) -> bool:
        return self.committing or self.branch is not None


def run_render(root: Path, options: Options) -> int:
    """Do as the options say; return the exit code."""
    _check_usage(options)
    if options.streaming:
        from jsorc_gitops.cli.streaming import print_stream

        as_list = options.output == "json"
        return print_stream(root, options.environments, interpreter=options.interpreter, as_list=as_list)
    printer = make_printer(options.output, whole=options.whole)
    try:
        code = _render(root, options, printer)
    except JsorcError as error:
        printer.tell_error(error)
        printer.finish()
        raise
    printer.finish()
    return code


def _render(root: Path, options: Options, printer: Printer) -> int:
    if options.staged:
        return _check_staged(root, options, printer)
    if isinstance(printer, TextPrinter) and _is_known(root, options, printer):
        return 0
    inputs = read_inputs(root, options.environments, interpreter=options.interpreter)
    rendering = _render_inputs(inputs, options, printer)
    if options.against is not None:
        return _compare(inputs, rendering, options, options.against, printer)
    if options.delivers:
        return _deliver(inputs, rendering, options, printer)
    return _write(inputs, rendering, options, printer)


def _is_known(root: Path, options: Options, printer: TextPrinter) -> bool:
    """Tell what the last run told, where this one would find nothing to do."""
    if options.determinism or options.against is not None or options.branch is not None:
        return False
    known = recall(root, options.environments, interpreter=options.interpreter)
    if known is None:
        return False
    if not options.committing:
        printer.tell_known(known)
        return True
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.cli.delivering import push_here
    from jsorc_gitops.render.commit import is_committed

    allowed = _make_commit_options(options)
    if not is_committed(known.sources, Repository(root), allowed):
        return False
    printer.tell_committed(known)
    if options.pushing:
        push_here(root, options.environments, allowed, printer, interpreter=options.interpreter)
    return True


def _render_inputs(inputs: Inputs, options: Options, printer: Printer) -> "Rendering":
    rendering = render_inputs(inputs)
    printer.tell_rendered(rendering)
    if options.determinism:
        check_determinism(inputs, rendering)
    return rendering


def _check_usage(options: Options) -> None:
    if options.check and (options.delivers or options.force):
        raise click.UsageError("--check writes nothing, so it goes neither with a commit nor with --force")
    if options.committing and options.branch is not None:
        raise click.UsageError("--commit is for the branch that is checked out, --branch for another; choose one")
    if (options.allow_prune or options.allow_dirty or options.pushing) and not options.delivers:
        raise click.UsageError("--allow-prune, --allow-dirty and --push need a commit: --commit or --branch NAME")
    if options.staged and (not options.check or options.against is not None):
        raise click.UsageError("--staged is another thing to check: it needs --check, and goes without --against")
    if (options.against is not None or options.determinism) and not options.check:
        raise click.UsageError("--against and --determinism compare and write nothing, so they need --check")
    if (options.allow or options.output == "markdown") and options.against is None:
        raise click.UsageError("--allow and --output markdown are about a comparison, so they need --against")
    if options.streaming and (options.check or options.delivers or options.whole or options.force):
        raise click.UsageError(
            "--stdout prints the tree alone, so it goes with no other mode and not with --force"
        )


def _check_staged(root: Path, options: Options, printer: Printer) -> int:
    from tempfile import TemporaryDirectory

    from jsorc_gitops.adapters.git import Repository

    with TemporaryDirectory(prefix="jsorc-staged-") as scratch:
        staged = Repository(root).export_index(Path(scratch))
        inputs = read_inputs(staged, options.environments, interpreter=options.interpreter)
        rendering = _render_inputs(inputs, options, printer)
        return _report(inputs, rendering, options, printer)


def _write(inputs: Inputs, rendering: "Rendering", options: Options, printer: Printer) -> int:
    from jsorc_gitops.render.publish import write

    if not options.check:
        write(rendering, inputs.folder, force=options.force)
    code = _report(inputs, rendering, options, printer)
    if code == 0:
        remember(inputs, rendering)
    return code


def _report(inputs: Inputs, rendering: "Rendering", options: Options, printer: Printer) -> int:
    printer.tell_files(inputs, rendering, written=not options.check)
    return EXIT_DIFFERENCES if options.check and rendering.diff else 0


def _deliver(inputs: Inputs, rendering: "Rendering", options: Options, printer: Printer) -> int:
    from jsorc_gitops.cli.delivering import commit_elsewhere, commit_here

    allowed = _make_commit_options(options)
    if options.branch is None:
        return commit_here(inputs, rendering, allowed, printer, pushing=options.pushing)
    return commit_elsewhere(inputs, rendering, allowed, options.branch, printer, pushing=options.pushing)


def _make_commit_options(options: Options) -> "CommitOptions":
    from jsorc_gitops import __version__
    from jsorc_gitops.render.commit import CommitOptions

    return CommitOptions(
        version=__version__,
        allow_prune=options.allow_prune,
        allow_dirty=options.allow_dirty,
        force=options.force,
    )


def _compare(
    inputs: Inputs,
    rendering: "Rendering",
    options: Options,
    revision: str,
    printer: Printer,
) -> int:
    """Tell what the trees change since a revision; 1 where a danger is not allowed, 6 where anything differs."""
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.model.layout import FOLDER
    from jsorc_gitops.render.publish import compare_trees
    from jsorc_gitops.render.report import find_refused

    repository = Repository(inputs.root)
    files = repository.read_tree(repository.get_commit(revision), FOLDER)
    comparisons = compare_trees(rendering, files, against=revision, mask_key=inputs.read_mask_key())
    printer.tell_comparison(rendering, files, comparisons, allow=options.allow)
    if find_refused(comparisons, options.allow):
        return JsorcError.exit_code
    return EXIT_DIFFERENCES if any(each.diffs for each in comparisons) else 0

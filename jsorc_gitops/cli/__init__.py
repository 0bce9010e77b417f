"""The porch: reads options and the environment, wires adapters into a corridor, prints, exits."""

import errno
import io
import os
import signal
import sys
from types import FrameType

import click

from jsorc_gitops import __version__
from jsorc_gitops.cli.bootstrap import bootstrap
from jsorc_gitops.cli.by_hand import pause, reset, resume
from jsorc_gitops.cli.diff import diff
from jsorc_gitops.cli.handover import adopt, release
from jsorc_gitops.cli.import_ import import_
from jsorc_gitops.cli.init import init
from jsorc_gitops.cli.rbac import rbac
from jsorc_gitops.cli.reconcile import reconcile
from jsorc_gitops.cli.render import render
from jsorc_gitops.cli.status import status
from jsorc_gitops.cli.terminal import clean_text
from jsorc_gitops.errors import JsorcError

EXIT_BUG = 3
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="jsorc-gitops", message="jsorc %(version)s")
@click.option(
    "-C",
    "root",
    type=click.Path(file_okay=False, exists=True),
    default=".",
    help="Work in this folder instead of the current one, as git -C does.",
)
@click.pass_context
def cli(context: click.Context, root: str) -> None:
    """Render Jaseci services into git; reconcile a cluster and Jaseci with what git says."""
    # For --help alone it would be a tenth of the time.
    from pathlib import Path

    context.obj = Path(root).resolve()


cli.add_command(init)
cli.add_command(import_)
cli.add_command(render)
cli.add_command(reconcile)
cli.add_command(rbac)
cli.add_command(bootstrap)
cli.add_command(diff)
cli.add_command(status)
cli.add_command(reset)
cli.add_command(pause)
cli.add_command(resume)
cli.add_command(release)
cli.add_command(adopt)


def main() -> None:
    """Run the command line; every outcome is an exit code of docs/exit-codes.md."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or log that cannot show an arrow is no reason to fail after the work is done.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    code = run(sys.argv[1:])
    try:
        for stream in (sys.stdout, sys.stderr):
            # None where whoever started us has closed it.
            if stream is not None:
                stream.flush()
    except OSError:
        # Python says what is wrong with them, as it does for every program.
        sys.exit(code)
    # Taking everything apart first would take as long as reading a hundred services.
    os._exit(code)


def _interrupt(_: int, __: FrameType | None) -> None:
    """End on the first ^C; another one must not disturb what puts things back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; prints errors, raises nothing."""
    try:
        code = cli.main(arguments, prog_name="jsorc", standalone_mode=False)
    except JsorcError as error:
        click.echo(f"jsorc: {clean_text(str(error))}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place where our own bugs end
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            click.echo(f"jsorc: {error}; what was printed is cut short, or a file could not be written", err=True)
            return JsorcError.exit_code
        return _report_bug()
    return code if isinstance(code, int) else 0


def _report_bug() -> int:
    # Every run would pay for what few ever need.
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="jsorc-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as log:
        log.write(f"jsorc {__version__}, Python {sys.version}\n")
        traceback.print_exc(file=log)
    click.echo(f"jsorc: this is a bug in jsorc; what happened is in {log.name}", err=True)
    return EXIT_BUG

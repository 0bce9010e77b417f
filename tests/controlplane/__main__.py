"""`python -m tests.controlplane COMMAND`: a real Kubernetes control plane on loopback, for people."""

import argparse
import shlex
import sys
from pathlib import Path

from tests.controlplane import background
from tests.controlplane.build import ensure_programs, read_version
from tests.machine import SetupError

COMMANDS = {
    "build": "build the programs, or say where they are",
    "up": "start it in the background, building it first where needed",
    "down": "end it; what it stored is gone with the next 'up'",
    "kubeconfig": "print the path of the admin's kubeconfig; exit 1 when it is not up",
}


def _command(name: str) -> str:
    """What to type, from any folder."""
    return shlex.join(["env", "-C", str(background.REPOSITORY), sys.executable, "-m", "tests.controlplane", name])


def format_up(*, started: bool, kubeconfig: Path, programs: Path) -> str:
    """What `up` says: how to end it and how to begin, to be pasted."""
    state = "is up now" if started else "was up already"
    return (
        f"Kubernetes {read_version('kubernetes')} {state}; to end it: {_command('down')}\n"
        f"  export KUBECONFIG={kubeconfig}\n"
        f"  {programs}/kubectl get nodes"
    )


def run(command: str) -> int:
    """Do as one of COMMANDS; return the exit code."""
    if command == "build":
        print(ensure_programs())
    elif command == "up":
        started = background.start()
        print(format_up(started=started, kubeconfig=background.kubeconfig(), programs=ensure_programs()))
    elif command == "down":
        print("ended" if background.stop() else "it was not up")
    elif background.is_up():
        print(background.kubeconfig())
    else:
        print("not up: start it with 'python -m tests.controlplane up'", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose)
    try:
        return run(parser.parse_args().command)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.gitops build [flux] [argocd]`: have both, or the one named, built."""

import argparse
import sys

from tests.gitops.build import ensure_argocd, ensure_flux
from tests.machine import SetupError

PARTS = {"flux": ensure_flux, "argocd": ensure_argocd}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gitops", description=__doc__)
    parser.add_argument("command", choices=["build"])
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{' or '.join(PARTS)}; both, where none is named"
    )
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    try:
        for part in parts:
            print(PARTS[part]())
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`jsorc`, and `python -m jsorc_gitops`: the porch, and ^C while it is still being opened."""

import sys


def main() -> None:
    try:
        from jsorc_gitops.cli import main as enter

        enter()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

"""`python -m jsorc_gitops` is `jsorc`."""

from jsorc_gitops.cli import main

main()

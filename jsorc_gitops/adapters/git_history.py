"""What git says of the commits between two others."""

from jsorc_gitops.adapters.git_command import Git, GitError
from jsorc_gitops.model.commits import Commit


def count_apart(git: Git, old: str, new: str) -> tuple[int, int] | None:
    """How many commits `new` has that `old` has not, and the other way; None where this clone cannot tell."""
    try:
        behind, ahead = git.run("rev-list", "--count", "--left-right", f"{old}...{new}", "--").split()
    except GitError:
        return None
    return int(ahead), int(behind)


def list_commits(git: Git, old: str, new: str, *, within: str) -> list[Commit]:
    """The commits of `new` that `old` does not have, parents first; those that leave a folder stray."""
    chosen = (f"{old}..{new}", "--")
    outside = (":(top)", f":(top,exclude,literal){within}")
    straying = set(git.run("rev-list", "--full-history", *chosen, *outside).splitlines())
    # A message may hold anything but NUL, and a trailer that is unfolded no line's end.
    form = "--format=%H%x00%P%x00%s%x00%(trailers:only,unfold)%x00"
    listing = git.run("rev-list", "--reverse", "--topo-order", "--no-commit-header", form, *chosen)
    fields = listing.split("\0")
    records = zip(*(fields[start::4] for start in range(4)), strict=False)
    return [
        Commit(
            revision=revision.strip(),
            parents=len(parents.split()),
            subject=subject,
            trailers=_group(trailers),
            strays=revision.strip() in straying,
        )
        for revision, parents, subject, trailers in records
    ]


def _group(trailers: str) -> dict[str, tuple[str, ...]]:
    pairs = [line.split(": ", 1) for line in trailers.split("\n") if ": " in line]
    return {name: tuple(value for key, value in pairs if key == name) for name, _ in pairs}

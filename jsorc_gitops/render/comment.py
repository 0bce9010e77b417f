"""The comparison of trees as Markdown for a pull request.

What comes from definitions cannot leave its place: in running text every character that could mean something
to Markdown or HTML is an entity, and in a fence each line begins with a sign or four blanks, so none closes it.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from jsorc_gitops.render.danger import NOTE, Danger
from jsorc_gitops.render.report import (
    Comparison,
    find_refused,
    format_counts,
    format_danger,
    grade_danger,
    group_services,
)
from jsorc_gitops.render.wording import clean_text, format_diff

LIMIT = 65_000  # characters; GitHub takes 65,536
MARK = "<!-- jsorc -->"  # by which a bot finds the comment it made before

_SHARE_OF_TABLE = 0.6
_RESERVE = 1_000  # for the last line, which says what was cut
_LEAST = 2_000  # a service's share where all of them would get less: rather some services than no line of any
_LONGEST_LINE = 500
_LONGEST_NAME = 300
_LONGEST_SUMMARY = 200
_LONGEST_REVISION = 50
_UNSAFE = re.compile(r"[^A-Za-z0-9 ,;()→…-]")
_HEAD = "| | Rule | Object | What happens | Allow it with |\n|---|---|---|---|---|"


def format_comment(comparisons: Sequence[Comparison], *, allow: Collection[str]) -> str:
    """One comment for all trees, dangers first, of at most LIMIT characters; it says what was cut."""
    blocks = [MARK, f"### jsorc: {_format_title(comparisons, allow)}"]
    room = LIMIT - _RESERVE
    several = len(comparisons) > 1
    rows = [_format_row(each, allow, one.tree if several else "") for one in comparisons for each in one.dangers]
    shown = _take(rows, int(room * _SHARE_OF_TABLE))
    if shown:
        blocks.append("\n".join([_HEAD, *shown]))
        room -= len(blocks[-1])
    details, cut_services = _format_services(comparisons, room)
    blocks += details
    cut = [f"{len(rows) - len(shown)} rows of the table"] if len(rows) > len(shown) else []
    cut += [f"changes of {cut_services} services"] if cut_services else []
    if cut:
        revision = _cut(clean_text(comparisons[0].against), _LONGEST_REVISION)
        command = _code(f"jsorc render --check --diff --against {revision}")
        blocks.append(f"Left out here: {' and '.join(cut)}; {command} tells all.")
    return "\n\n".join(blocks) + "\n"


def _format_title(comparisons: Sequence[Comparison], allow: Collection[str]) -> str:
    title = format_counts(comparisons)
    dangers = sum(each.rule != NOTE for one in comparisons for each in one.dangers)
    refused = len(find_refused(comparisons, allow))
    if not dangers:
        return title
    return f"{title}; {dangers} dangerous, " + (f"{refused} not allowed" if refused else "all allowed")


def _format_row(danger: Danger, allow: Collection[str], tree: str) -> str:
    ref = _cut(clean_text(str(danger.ref)), _LONGEST_NAME)
    cells = [
        f"{tree} {grade_danger(danger, allow)}".strip(),
        danger.rule,
        _code(ref),
        _inert(format_danger(danger)),
        "" if danger.rule == NOTE else _code(f"--allow {ref}"),
    ]
    return f"| {' | '.join(cells)} |"


def _format_services(comparisons: Sequence[Comparison], room: int) -> tuple[list[str], int]:
    """A block for each service, and how many could not be told whole; what one leaves, the next may use."""
    groups = [(one.tree, *each) for one in comparisons for each in group_services(one)]
    blocks, cut = [], 0
    for place, (tree, change, diffs) in enumerate(groups):
        summary = f"{tree}: {change.summary}" if len(comparisons) > 1 else change.summary
        lines = [_cut(line, _LONGEST_LINE) for diff in diffs for line in format_diff(diff)]
        share = max(room // (len(groups) - place), min(room, _LEAST))
        block, is_whole = _format_details(_inert(_cut(clean_text(summary), _LONGEST_SUMMARY)), lines, share)
        cut += not is_whole
        if block:
            blocks.append(block)
            room -= len(block) + 2
    return blocks, cut


def _format_details(summary: str, lines: Sequence[str], room: int) -> tuple[str, bool]:
    """A part to unfold, in as much room as it may take ("" where that is none), and whether it is whole."""
    head, tail = f"<details><summary>{summary}</summary>\n\n```diff\n", "\n```\n\n</details>"
    shown = _take(lines, room - len(head) - len(tail))
    if len(shown) < len(lines):
        shown = _take(lines, room - len(head) - len(tail) - _LONGEST_SUMMARY)
        rest = [f"… {len(lines) - len(shown)} more lines"] if shown else []
        return (head + "\n".join([*shown, *rest]) + tail if shown else ""), False
    return head + "\n".join(shown) + tail, True


def _take(lines: Iterable[str], room: int) -> list[str]:
    """As many lines, from the first on, as there is room for."""
    taken = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        taken.append(line)
    return taken


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def _code(text: str) -> str:
    return f"<code>{_UNSAFE.sub(lambda found: f'&#{ord(found[0])};', text)}</code>"


def _inert(text: str) -> str:
    """Text that is no more than text, and calls nobody: @name and #1 are taken apart by a space of no width."""
    return _UNSAFE.sub(lambda found: f"&#{ord(found[0])};" + ("&#8203;" if found[0] in "@#" else ""), text)

"""A strict reader of Prometheus' text format, as far as gauges go, that knows its naming conventions.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details
https://prometheus.io/docs/practices/naming/
"""

import re

Labels = tuple[tuple[str, str], ...]
Samples = dict[tuple[str, Labels], float]

_NAME = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"  # what is valid is more; snake case is the convention
_LABEL = re.compile(rf'({_NAME})="((?:[^"\\\n]|\\["\\n])*)"(?:,|\Z)')
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.+)\}})? (\d+(?:\.\d+)?)\Z")
# Of counters, histograms and of what a server adds by itself.
_RESERVED = ("_total", "_count", "_sum", "_bucket", "_info", "_created")
_UNITS = re.compile(r"_(?:ms|milliseconds|minutes|hours|millis|micros|kb|mb|percent)(?:_|\Z)")


def parse_gauges(text: str) -> Samples:
    """All samples by name and labels; an AssertionError tells what breaks the format or a convention."""
    assert text.endswith("\n"), "the last line has no line feed"
    samples: Samples = {}
    family = ""
    lines = iter(text[:-1].split("\n"))
    for line in lines:
        if line.startswith("#"):
            family = _parse_head(line, next(lines), {name for name, _ in samples})
            continue
        found = _SAMPLE.match(line)
        assert found, line
        assert found[1] == family, f"{line}: not below its HELP and TYPE"
        key = (found[1], _parse_labels(found[2] or ""))
        assert key not in samples, f"{line}: twice"
        samples[key] = float(found[3])
    return samples


def _parse_head(line: str, following: str, known: set[str]) -> str:
    text = re.fullmatch(rf"# HELP ({_NAME}) (\S.*\.)", line)
    assert text, line
    name = text[1]
    assert following == f"# TYPE {name} gauge"
    assert name not in known, f"{name}: its samples do not stand together"
    assert name.startswith("jsorc_"), f"{name}: without the prefix of the application"
    assert not name.endswith(_RESERVED), f"{name}: ends as other types do"
    assert not _UNITS.search(name), f"{name}: not in base units"
    return name


def _parse_labels(text: str) -> Labels:
    found, place = [], 0
    while place < len(text):
        match = _LABEL.match(text, place)
        assert match, text
        found.append((match[1], re.sub(r"\\(.)", lambda each: {"n": "\n"}.get(each[1], each[1]), match[2])))
        place = match.end()
    names = [name for name, _ in found]
    assert len(set(names)) == len(names), text
    return tuple(sorted(found))

"""The values of the shipped services: docs/services.md lists them, and each does something."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.render.shipped import LOGSTASH, PAGE, WITH_VALUES, definition_of, objects_of

SECTION = PAGE.partition("\n## Values\n")[2].partition("\n## ")[0]
CODE = re.compile(r"`([^`]*)`")

# Of what is a text or a mapping, most can be anything; these are more particular.
SAMPLES: Mapping[str, Any] = {
    "elastic:operator.kinds": [LOGSTASH],
    "jsorc:git.secret": "git",
    "jsorc:mode": "loop",
    "jsorc:network.apiServer": {"cidr": "10.0.0.1/32"},
    "jsorc:network.git": {"ports": [8443]},
    "jsorc:network.jaseci": {"ports": [8000]},
    "promon:kubeStateMetrics.watches": {"apps": ["deployments"]},
}


def list_rows(service: str) -> Iterator[tuple[list[str], str]]:
    """(paths of values, what is said of their defaults) of each row of a service's table."""
    table = SECTION.partition(f"\n### {service}\n")[2].partition("\n### ")[0]
    for line in table.splitlines():
        if line.startswith("| `"):
            _, paths, default, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[:4])
            yield CODE.findall(paths), default


def look_up(service: str, path: str) -> Any:
    value = definition_of(service)["values"]
    for key in path.split("."):
        value = value[key]
    return value


def list_paths(values: Mapping[str, Any], documented: set[str], above: str = "") -> Iterator[str]:
    """The paths of all values; one that is documented as a whole is not looked into."""
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, dict) and value and path not in documented:
            yield from list_paths(value, documented, f"{path}.")
        else:
            yield path


def spell_default(value: Any) -> set[str]:
    """How the page has to put it; empty where words of its own must do."""
    if isinstance(value, dict) and "requests" in value:
        return {"; ".join(filter(None, (spell_amounts(value, kind) for kind in ("requests", "limits"))))}
    if isinstance(value, dict) and value and not any(isinstance(each, dict | list) for each in value.values()):
        texts = (yaml.safe_dump({key: each}, width=200).strip() for key, each in value.items())
        return {", ".join(f"`{text}`" for text in texts)}
    if isinstance(value, dict | list) and value:
        return set()
    return {'`""`' if value == "" else f"`{yaml.safe_dump(value).partition(chr(10))[0]}`"}


def spell_amounts(resources: Mapping[str, Any], kind: str) -> str:
    amounts = [
        f"{resources[kind][name]}{unit}"
        for name, unit in (("cpu", " CPU"), ("memory", ""))
        if name in resources.get(kind, {})
    ]
    word = "limit" if kind == "limits" and len(amounts) == 1 else kind
    return f"{word} {', '.join(amounts)}" if amounts else ""


def count(value: Any) -> int:
    """How many entries, or entries of entries, there are."""
    return sum(map(len, value.values())) if isinstance(value, dict) else len(value)


def change(service: str, path: str) -> Any:
    """Another value of the same kind."""
    value = look_up(service, path)
    others = {bool: not value, str: f"{value}-other", list: [{"other": "value"}], dict: {"other": "value"}}
    if isinstance(value, int):
        others[int] = value + 1
    return SAMPLES.get(f"{service}:{path}", others.get(type(value), "other"))


DOCUMENTED = [(service, path) for service in WITH_VALUES for paths, _ in list_rows(service) for path in paths]


@pytest.mark.parametrize("service", WITH_VALUES)
def test_values_are_listed(service: str) -> None:
    """docs/services.md lists every value of a service, each once, and no other."""
    documented = [path for each, path in DOCUMENTED if each == service]

    assert documented
    assert sorted(documented) == sorted(list_paths(definition_of(service)["values"], set(documented)))


@pytest.mark.parametrize("service", WITH_VALUES)
def test_defaults_are_listed(service: str) -> None:
    """The defaults that docs/services.md tells are those of service.yaml."""
    for paths, told in list_rows(service):
        values = [look_up(service, path) for path in paths]
        spelled = [spell_default(value) for value in values]
        if all(spelled):
            # Several values of one row may share what is said.
            assert told in {", ".join(each) for each in zip(*spelled, strict=True)} | set.intersection(*spelled)
        else:
            assert not CODE.search(told), paths
            assert [int(number) for number in re.findall(r"\d+", told)] in ([], [count(values[0])]), paths


@pytest.mark.parametrize(("service", "path"), DOCUMENTED)
def test_values_do_something(service: str, path: str) -> None:
    """Another value makes other objects."""
    values = change(service, path)
    for key in reversed(path.split(".")):
        values = {key: values}

    assert objects_of(service, **values) != objects_of(service)

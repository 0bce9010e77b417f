"""Comparing as the API server does: what it fills in by itself is left out, quantities are numbers.

The defaults are those of Kubernetes 1.36, each seen on its API server (tests/render/test_refusals.py).
"""

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from jsorc_gitops.model.diff import diff_values
from jsorc_gitops.model.objects import Body
from jsorc_gitops.render.danger import ANEW, IMMUTABLE, Finding
from jsorc_gitops.render.defaults import default_pull_policy

# By the name of the field alone: none of them means another thing elsewhere in what is compared.
_DEFAULTS: Mapping[str, Any] = {
    "allocationMode": "ExactCount",
    "apiGroup": "rbac.authorization.k8s.io",
    "apiVersion": "v1",
    "count": 1,
    "defaultMode": 0o644,
    "divisor": "0",
    "dnsPolicy": "ClusterFirst",
    "failureThreshold": 3,
    "initialDelaySeconds": 0,
    "kind": "PersistentVolumeClaim",
    "path": "/",
    "periodSeconds": 10,
    "protocol": "TCP",
    "schedulerName": "default-scheduler",
    "scheme": "HTTP",
    "successThreshold": 1,
    "terminationGracePeriodSeconds": 30,
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "timeoutSeconds": 1,
    "volumeMode": "Filesystem",
    **dict.fromkeys(("hostIPC", "hostNetwork", "hostPID", "readOnly", "stdin", "stdinOnce", "tty"), False),
}
# Their keys are users' own, so none of them has a default.
_FREE = frozenset(
    {
        "annotations",
        "binaryData",
        "data",
        "labels",
        "matchLabels",
        "nodeSelector",
        "parameters",
        "volumeAttributes",
    }
)
_EMPTY: tuple[Any, ...] = (None, "", [], {})

_QUANTITY = re.compile(r"(?P<number>[-+]?[0-9.]+)(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?\Z")
_SUFFIXES = {
    **{
        suffix: Decimal(10) ** power
        for suffix, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
    },
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


def get(body: Any, path: str) -> Any:
    """The value at a path of plain keys, None where there is none."""
    for key in path.split("."):
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def get_mapping(body: Any, path: str) -> Body:
    """The mapping at a path; an empty one where there is none, or something else."""
    value = get(body, path)
    return value if isinstance(value, Mapping) else {}


def get_items(body: Any, path: str) -> list[Body]:
    """The mappings in the list at a path."""
    value = get(body, path)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def compare(path: str, before: Any, after: Any, *, default: Any = None, message: str = ANEW) -> Iterator[Finding]:
    """A finding where two values differ to the server; about the one place that differs, where it is one."""
    key = path.rpartition(".")[2]
    sides = [normalize({key: side}).get(key, default) for side in (before, after)]
    if sides[0] == sides[1]:
        return
    fields = diff_values(before, after)
    if len(fields) == 1:
        path = f"{path}.{fields[0].spelled}".replace(".[", "[").removesuffix(".")
        before, after = fields[0].before, fields[0].after
    yield Finding(IMMUTABLE, path, before, after, message)


def compare_specs(
    before: Body,
    after: Body,
    *,
    free: Collection[str],
    defaults: Mapping[str, Any] = MappingProxyType({}),
    message: str = ANEW,
) -> Iterator[Finding]:
    """Findings of all keys of two specs but those that are free."""
    for key in sorted((before.keys() | after.keys()) - set(free)):
        default = defaults.get(key)
        yield from compare(f"spec.{key}", before.get(key), after.get(key), default=default, message=message)


def normalize(value: Any) -> Any:
    """A part of a spec without what is empty or what the server would fill in."""
    if isinstance(value, list):
        return [normalize(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    kept = {}
    for key, each in value.items():
        if key in _FREE:
            below = each
        elif key in {"requests", "limits", "capacity"} and isinstance(each, Mapping):
            below = {name: parse_quantity(amount) for name, amount in each.items()}
        else:
            below = normalize(each)
        if not _is_default(key, below, value):
            kept[key] = below
    return kept


def parse_quantity(value: Any) -> Any:
    """'1Gi', '1000m' or 1 as a Decimal; what is no quantity of Kubernetes stays as it is."""
    found = _QUANTITY.match(str(value))
    if not found:
        return value
    number, suffix = found["number"], found["suffix"] or ""
    try:
        # What is left is an exponent, which Decimal reads by itself.
        return Decimal(number) * _SUFFIXES[suffix] if suffix in _SUFFIXES else Decimal(number + suffix)
    except ArithmeticError:
        return value


def _is_default(key: str, value: Any, beside: Mapping[str, Any]) -> bool:
    if key == "imagePullPolicy":
        return bool(value == default_pull_policy(beside))
    # An empty class is a choice: no class. The server fills one in only where none is named.
    return (value in _EMPTY and key != "storageClassName") or (key in _DEFAULTS and value == _DEFAULTS[key])

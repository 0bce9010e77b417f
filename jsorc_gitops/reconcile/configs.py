"""What Jaseci's own config of a service says, against what git says of it. No value of either is ever told."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.digests import hash_value
from jsorc_gitops.model.jaseci import ServiceState
from jsorc_gitops.model.masks import decode_data
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.services import ServiceRecord, find_secret_ref, list_secret_refs, merge_values
from jsorc_gitops.reconcile.ports import Pass
from jsorc_gitops.reconcile.processes import Processes

_SHOWN = 5  # paths of a config that a line names


def diff_config(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """The paths at which what is stored is not as git says; what git does not speak of is Jaseci's."""
    return [*_diff(wanted, stored, "")]


def _diff(wanted: Mapping[str, Any], stored: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in wanted.items():
        found = stored.get(key)
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            yield from _diff(value, found, f"{prefix}{key}.")
        elif key not in stored or found != value or isinstance(found, bool) != isinstance(value, bool):
            yield f"{prefix}{key}"


def resolve_configs(run: Pass, services: Collection[str]) -> dict[str, Mapping[str, Any] | str]:
    """The config that git says of each service, with the values of Secrets it refers to; or which is missing."""
    configs = {name: run.tree.records[name].config for name in services}
    wanted = sorted({ref for config in configs.values() for ref in list_secret_refs(config)})
    refs = [ObjectRef(group="", kind="Secret", namespace=run.namespace, name=name) for name, _ in wanted]
    bodies = run.cluster.get_objects([("v1", ref) for ref in refs]) if refs else []
    values: dict[tuple[str, str], str | None] = {}
    for place, body in zip(wanted, bodies, strict=True):
        data = body.get("data") if body and not isinstance(body, ClusterError) else None
        value = decode_data((data or {}).get(place[1]))
        values[place] = value.decode(errors="replace") if isinstance(value, bytes) else None
    resolved: dict[str, Mapping[str, Any] | str] = {}
    for name, config in configs.items():
        missing = [place for place in list_secret_refs(config) if values[place] is None]
        resolved[name] = (
            f"Secret/{run.namespace}/{missing[0][0]} has no {missing[0][1]}, or cannot be read"
            if missing
            else _fill(config, values)
        )
    return resolved


class Configs:
    """The configs of services whose record has one, as git says and as Jaseci has them."""

    def __init__(self, run: Pass, processes: Processes) -> None:
        self._run = run
        self._processes = processes
        self._wanted: dict[str, Mapping[str, Any] | str] = {}
        self._stored: dict[str, Mapping[str, Any] | str] = {}

    def compare(self, names: Sequence[str]) -> None:
        """Read what both say of these services; what Secrets hold is told by nobody from then on."""
        self._wanted = resolve_configs(self._run, names)
        self._processes.hide(
            list_secret_values(self._run.tree.records[name].config, self._wanted[name]) for name in names
        )
        known = [name for name in names if self._processes.find_answer(name).state is not ServiceState.UNKNOWN]
        self._stored = self._processes.get_configs(known)

    def find_change(self, record: ServiceRecord) -> str:
        """Why the config of a service is to be stored; "" where it is not."""
        differing = self._diff(record.name)
        return f"its config differs in {_spell(differing)}" if differing and record.applies_config else ""

    def digest_change(self, record: ServiceRecord) -> str:
        """A digest of what git says, references as such, where it is to be stored; "" where it is not."""
        return hash_value(record.config) if self.find_change(record) else ""

    def find_gap(self, name: str) -> str:
        """Why a config is not compared; "" where it is, or has nothing to be compared with."""
        for side in (self._wanted, self._stored):
            if name in self._stored and isinstance(why := side[name], str):
                return f"its config is not compared: {why}"
        return ""

    def find_note(self, record: ServiceRecord) -> str:
        """What is to be known of a config that is not stored."""
        differing = self._diff(record.name)
        return f"Jaseci's config differs from git in {_spell(differing)}" if differing else ""

    def apply_change(self, record: ServiceRecord) -> str:
        """Store the config of a service, with all in it that git does not speak of; "" or why it is not there."""
        wanted, stored = self._wanted.get(record.name), self._stored.get(record.name)
        if not self.find_change(record) or not isinstance(wanted, Mapping) or not isinstance(stored, Mapping):
            return ""
        refusal = self._processes.set_config(record.name, merge_values(stored, wanted))
        if not refusal:
            # One that Jaseci stores otherwise would be stored, and its service reset, in every pass.
            self._stored |= self._processes.get_configs([record.name])
            refusal = self.find_change(record)
        return f"its config could not be stored: {refusal}" if refusal else ""

    def _diff(self, name: str) -> list[str]:
        wanted, stored = self._wanted.get(name), self._stored.get(name)
        if not isinstance(wanted, Mapping) or not isinstance(stored, Mapping):
            return []
        return diff_config(wanted, stored)


def list_secret_values(config: Any, resolved: Any) -> list[str]:
    """What stands in a resolved config where there is a reference."""
    if find_secret_ref(config):
        return [resolved] if isinstance(resolved, str) else []
    if isinstance(config, Mapping) and isinstance(resolved, Mapping):
        return [found for key in config for found in list_secret_values(config[key], resolved[key])]
    if isinstance(config, list) and isinstance(resolved, list):
        return [found for pair in zip(config, resolved, strict=True) for found in list_secret_values(*pair)]
    return []


def _spell(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:_SHOWN])
    return f"{shown} and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else shown


def _fill(value: Any, values: Mapping[tuple[str, str], str | None]) -> Any:
    if place := find_secret_ref(value):
        return values[place]
    if isinstance(value, Mapping):
        return {key: _fill(each, values) for key, each in value.items()}
    return [_fill(each, values) for each in value] if isinstance(value, list) else value

"""Asks and resets services in every process of Jaseci: a call reaches one, and each has services of its own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jsorc_gitops.model.jaseci import Answer, ServiceState, Target
from jsorc_gitops.model.scrubbing import make_value_scrubber
from jsorc_gitops.reconcile.ports import Jaseci, Pass
from jsorc_gitops.reconcile.replicas import Replicas, combine_answers, find_replicas

# How often pods are looked for that came up while others were reset.
ROUNDS = 3

# Only a known "not running" resets: one that is unknown may be running well.
_ILL = frozenset({ServiceState.STOPPED, ServiceState.FAILED})


class Processes:
    """The processes of Jaseci as one pass sees them, and what each has answered last, by service."""

    def __init__(self, run: Pass) -> None:
        self._run = run
        self._replicas: Replicas | None = None
        self._names: dict[str, str] = {}
        self._answers: dict[str, dict[str, Answer]] = {}
        self._scrub = make_value_scrubber([])

    def hide(self, secrets: Iterable[Iterable[str]]) -> None:
        """Have no answer tell what configs take from Secrets."""
        self._scrub = make_value_scrubber([each for values in secrets for each in values])

    def ask(self, names: Mapping[str, str]) -> None:
        """Ask how services are; `names` are those that Jaseci has for them."""
        if names:
            self._names |= names
            self._replicas = self._replicas or self._find()
            self._ask([(name, address) for name in names for address in self._replicas.addresses])

    def ask_again(self, names: Collection[str]) -> None:
        self.ask({name: self._names[name] for name in names})

    def find_answer(self, name: str) -> Answer:
        """How a service is in all processes together."""
        if self._replicas and self._replicas.problem:
            return Answer(state=ServiceState.UNKNOWN, detail=self._replicas.problem)
        answer = combine_answers(self._answers[name])
        return replace(answer, detail=self._scrub(answer.detail))

    def get_configs(self, names: Sequence[str]) -> dict[str, Mapping[str, Any] | str]:
        """What Jaseci has stored of each service, or why that is not known; all processes share it."""
        if not names or not self._replicas or self._replicas.problem:
            return {}
        pairs = [(name, self._replicas.addresses[0]) for name in names]
        return dict(zip(names, self._door.get_configs(self._make_targets(pairs)), strict=True))

    def set_config(self, name: str, config: Mapping[str, Any]) -> str:
        """Store the whole config of a service; "" or why Jaseci would not."""
        (target,) = self._make_targets([(name, next(iter(self._answers[name])))])
        return self._door.set_config(target, config)

    def reset(self, names: Collection[str], *, everywhere: Collection[str]) -> dict[str, str]:
        """Reset services where they do not run, or `everywhere`, and ask how they are then.

        Pods that come up meanwhile are asked, too, and reset where they do not run. Returns by service why it was
        refused, "" where it was not.
        """
        pairs = [
            (name, address)
            for name in names
            for address, answer in self._answers[name].items()
            if name in everywhere or answer.state in _ILL
        ]
        refusals = self._reset(pairs)
        for _ in range(ROUNDS):
            fresh = self._find_fresh(names)
            self._ask(fresh)
            ill = [(name, address) for name, address in fresh if self._answers[name][address].state in _ILL]
            refusals |= self._reset(ill)
            if not fresh:
                break
        told = dict.fromkeys(names, "")
        for (name, address), refusal in refusals.items():
            if address in self._answers[name]:
                told[name] = f"pod {address}: {refusal}" if address else refusal
        return told

    def _find_fresh(self, names: Collection[str]) -> list[tuple[str, str]]:
        """Services in pods that have come up; those in pods that went are forgotten."""
        settings = self._run.tree.settings.jaseci
        if not names or not (settings and settings.selector):
            return []
        self._replicas = self._find()
        there = self._replicas.addresses
        for name in names:
            self._answers[name] = {key: each for key, each in self._answers[name].items() if key in there}
        return [(name, address) for name in names for address in there if address not in self._answers[name]]

    def _find(self) -> Replicas:
        settings = self._run.tree.settings.jaseci
        return find_replicas(self._run, settings) if settings else Replicas(addresses=("",))

    def _ask(self, pairs: Collection[tuple[str, str]]) -> None:
        if not pairs:
            return
        with self._run.doors.waiting(f"Jaseci to tell the state of {_spell(pairs)}"):
            answers = self._door.get_states(self._make_targets(pairs))
        for (name, address), answer in zip(pairs, answers, strict=True):
            self._answers.setdefault(name, {})[address] = answer

    def _reset(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Returns the refusals."""
        if not pairs:
            return {}
        with self._run.doors.waiting(f"Jaseci to reset {_spell(pairs)}"):
            answers = self._door.reset_services(self._make_targets(pairs))
        told = zip(pairs, answers, strict=True)
        refused = {pair: refusal for pair, refusal in told if refusal}
        self._ask([pair for pair in pairs if pair not in refused])
        return refused

    def _make_targets(self, pairs: Collection[tuple[str, str]]) -> list[Target]:
        return [Target(name=self._names[name], address=address) for name, address in pairs]

    @property
    def _door(self) -> Jaseci:
        assert self._run.doors.jaseci is not None  # noqa: S101 - else no service is asked about
        return self._run.doors.jaseci


def _spell(pairs: Collection[tuple[str, str]]) -> str:
    names = sorted({name for name, _ in pairs})
    return names[0] if len(names) == 1 else f"{len(names)} services"

"""Two machines that reconcile one tree, as two cron jobs would: a clone and a proxy each, and an author."""

import json
import random
import secrets
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.controlplane.proxy import Answered, Proxy
from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done, Scratch
from tests.journeys.test_killed import is_write, read_inventory, read_members
from tests.journeys.test_ownership import Tree

_OK = 300


@dataclass(slots=True)
class Content:
    """What git says: ConfigMaps by name, those that begin with `sealed` immutable."""

    rng: random.Random
    values: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def change(self) -> None:
        """Two new objects, two changed, one removed, one that has to be made anew."""
        plain = sorted(name for name in self.values if not name.startswith("sealed"))
        for name in self.rng.sample(plain, min(2, len(plain))):
            self.values[name] += "+"
        sealed = sorted(self.values.keys() - set(plain))
        for name in self.rng.sample(sealed, min(1, len(sealed))):
            self.values[name] += "+"
        if len(self.values) > 8:
            del self.values[self.rng.choice(sorted(self.values))]
        for _ in range(2):
            self.made += 1
            self.values[f"{self.rng.choice(['map', 'map', 'sealed'])}-{self.made}"] = str(self.made)

    def format(self) -> str:
        return "---\n".join(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: '{value}'}}\n"
            + ("immutable: true\n" if name.startswith("sealed") else "")
            for name, value in self.values.items()
        )


class Machine:
    """A clone, and the way to the API server that only its passes take."""

    def __init__(self, folder: Path, author: Scratch, plane: ControlPlane) -> None:
        author.git("clone", "--quiet", ".", str(folder))
        self.scratch = Scratch(folder, controlplane=plane)
        self.proxy = Proxy(plane)
        self.arguments = ("reconcile", "--kubeconfig", str(self.proxy.kubeconfig_for()))

    def fetch(self, commit: str) -> None:
        """Have this commit for HEAD, and know every later one."""
        self.scratch.git("fetch", "--quiet")
        assert self.scratch.git("reset", "--hard", "--quiet", commit).code == 0

    def reconcile(self) -> Done:
        return self.scratch.jsorc(*self.arguments)


class Site:
    """One home namespace, an author's repository, and the machines `one` and `two`."""

    def __init__(self, folder: Path, plane: ControlPlane, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.namespace = f"test-{secrets.token_hex(4)}"
        self.tree = Tree(folder / "author", plane, self.namespace)
        self.content = Content(self.rng)
        for _ in range(4):
            self.content.change()
        self.commit()
        self.one = Machine(folder / "one", self.tree.scratch, plane)
        self.two = Machine(folder / "two", self.tree.scratch, plane)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.one.proxy.stop()
        self.two.proxy.stop()
        self.tree.scratch.kubectl("delete", "namespace", self.namespace, "--wait=false", "--ignore-not-found")

    def commit(self) -> str:
        """Commit and render what the content says; the commit."""
        self.tree.scratch.write("templates/app/objects.yaml", self.content.format())
        self.tree.scratch.write("templates/app/service.yaml", "recreate: allow\n")
        self.tree.scratch.commit("Say something else")
        return self.tree.scratch.git("rev-parse", "HEAD").output.strip()

    def advance(self) -> str:
        self.content.change()
        return self.commit()

    def check_exact(self) -> None:
        """The cluster and the inventory hold what git says, each once.

        What a pass was killed over may be expected still, though git no longer says it, but is not there.
        """
        own = ["jsorc.settings.default", "jsorc.record.default.app"]
        expected = Counter(f"ConfigMap/{name}" for name in (*own, *self.content.values))
        members, inventory = read_members(self.tree), read_inventory(self.tree)
        late = {name for name, entry in inventory.items() if entry.pending}
        assert (members, late & members.keys()) == (expected, set()), (
            members - expected,
            expected - members,
            late,
        )
        assert Counter(inventory.keys() - late) == expected
        found = self._read()
        assert {name: found[name] for name in self.content.values} == self.content.values

    def list_names(self) -> set[str]:
        """The ConfigMaps that are there."""
        return set(self._read())

    def forget_answers(self) -> None:
        """Look at what comes from now on."""
        self.one.proxy.answers.clear()
        self.two.proxy.answers.clear()

    def _read(self) -> dict[str, str]:
        listed = self.tree.scratch.read("configmaps", "-n", self.namespace)["items"]
        return {each["metadata"]["name"]: each.get("data", {}).get("a", "") for each in listed}

    def find_foreign_writes(self) -> list[Answered]:
        """What succeeded of a machine that did not hold the lease then, by the answers of both machines."""
        answers = [(machine, each) for machine in (self.one, self.two) for each in machine.proxy.answers]
        holder: Machine | None = None
        found = []
        for machine, each in sorted(answers, key=lambda pair: pair[1].at):
            if not is_write(each.request) or each.status >= _OK:
                continue
            if "/leases" in each.request.path:
                holder = machine if json.loads(each.request.body)["spec"]["holderIdentity"] else None
            elif holder is not machine:
                found.append(each)
        return found


def is_create(answered: Answered) -> bool:
    """Whether it was sent to make an object, so without the uid of one."""
    if answered.request.method != "PATCH":
        return False
    return "uid" not in json.loads(answered.request.body)["metadata"]

"""What a pass costs where every service runs."""

from collections import Counter
from collections.abc import Sequence

from jsorc_gitops.model.jaseci import Answer, Target
from jsorc_gitops.reconcile.resets import Verdict
from tests.reconcile.builders import make_deployment, make_tree
from tests.reconcile.world import World

NAMES = [f"svc-{number:03}" for number in range(200)]


def test_every_service_is_asked_about_once_and_all_in_one_batch(world: World) -> None:
    """However they depend on one another; the ledger is read once, nothing is written, no config is read."""
    tree = make_tree(
        {name: [make_deployment(name, service=name)] if index % 2 else [] for index, name in enumerate(NAMES)},
        records={name: {"depends_on": tuple(NAMES[index - 1 : index])} for index, name in enumerate(NAMES)},
    )
    world.run(tree)
    world.run(tree)
    before, batches = world.jaseci.requests, watch_batches(world)

    report = world.run(tree)

    assert Counter(each.verdict for each in report.services) == {Verdict.RUNNING: 200}
    assert [sorted(each) for each in batches] == [NAMES]
    assert world.jaseci.requests - before == 200
    asked = [line for line in world.log if line.split()[0] in {"state", "config"}]
    assert sorted(asked) == [f"state {name}" for name in NAMES]
    assert [line for line in world.log if line.endswith("jsorc.ledger.default")] == [
        "get ConfigMap/home/jsorc.ledger.default"
    ]
    assert world.writes == []


def watch_batches(world: World) -> list[list[str]]:
    """The services of each call for states from now on."""
    batches: list[list[str]] = []
    get_states = world.jaseci.get_states

    def watched(targets: Sequence[Target]) -> list[Answer]:
        batches.append([each.name for each in targets])
        return get_states(targets)

    world.jaseci.get_states = watched  # type: ignore[method-assign]
    return batches

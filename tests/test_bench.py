"""The benchmark measures what it says: right inputs, outputs that are checked, bars that follow from samples."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.bars import Bar, format_bars, format_figures
from bench.check import CheckError, check_objects, hash_output, read_folder, read_jsorc
from bench.harness import make_env
from bench.measure import Sample, measure_chains, run_step
from bench.objects import make_name, make_objects, make_values
from bench.render.chains import RenderBench, make_chains
from bench.render.inputs import (
    CHANGED_VERSION,
    Variant,
    change_service,
    count_services,
    list_objects,
    write_jsorc,
    write_kustomize,
)
from bench.render.report import SHARED, compute_bars
from bench.render.tools import Tools
from bench.steps import Bench, Chain, Step
from jsorc_gitops import cli

RESULTS = sorted((Path(__file__).parents[1] / "bench/results").glob("render-????-??-??.json"))
PAGE = (Path(__file__).parents[1] / "docs/bench.md").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> RenderBench:
    """A bench of ten objects, with programs that every machine has."""
    python = Path(sys.executable)
    tools = Tools(python=python, jsorc=python.with_name("jsorc"), kapitan=None, kubectl=None)
    return RenderBench(tools=tools, scratch=tmp_path, env=make_env(tmp_path), size=10)


def make_step(bench: Bench, script: str) -> Step:
    return Step(
        name="step",
        command=("/bin/sh", "-c", script),
        folder=bench.scratch,
        digest=lambda: hash_output(bench.scratch / "out"),
    )


def find_bar(samples: list[Sample], claim: str) -> Bar:
    return next(each for each in compute_bars(samples) if each.claim == claim)


def make_samples(command: str, size: int, *walls: float) -> list[Sample]:
    return [
        Sample(command=command, size=size, round=number, wall=wall, cpu=wall, rss=20 + size / 100)
        for number, wall in enumerate(walls, 1)
    ]


@pytest.mark.parametrize("variant", ["shared", "distinct"])
def test_jsorc_input(tmp_path: Path, variant: Variant) -> None:
    """The templates render to the objects that are wanted, before and after a service is changed."""
    write_jsorc(tmp_path, 20, variant)

    for changed in (False, True):
        if changed:
            change_service(tmp_path)
        assert cli.run(["-C", str(tmp_path), "render"]) == 0
        check_objects(read_jsorc(tmp_path / "rendered"), list_objects(20, changed=changed))


@pytest.mark.parametrize(("variant", "texts"), [("shared", 5), ("distinct", 5 * 4)])
def test_template_texts(tmp_path: Path, variant: Variant, texts: int) -> None:
    """Shared templates are the same text in every folder, distinct ones another text in each."""
    write_jsorc(tmp_path, 20, variant)

    assert len({path.read_text() for path in tmp_path.glob("templates/*/*.j2")}) == texts


def test_kustomize_input(tmp_path: Path) -> None:
    """What kustomize is given are the finished objects."""
    write_kustomize(tmp_path, 20)

    check_objects(read_folder(tmp_path), list_objects(20))


def test_object_size() -> None:
    """An object is about 1.1 kB of YAML."""
    texts = [yaml.safe_dump(each) for each in list_objects(200)]

    assert 1000 < sum(map(len, texts)) / len(texts) < 1200


@pytest.mark.parametrize("size", [0, 7, -5])
def test_odd_sizes(size: int) -> None:
    """A size that is no number of whole services is refused."""
    with pytest.raises(ValueError, match="multiple of 5"):
        count_services(size)


def lose(objects: list[Any]) -> None:
    del objects[3]


def add(objects: list[Any]) -> None:
    objects += make_objects("other", make_values(1))


def repeat(objects: list[Any]) -> None:
    objects.append(objects[0])


def retype(objects: list[Any]) -> None:
    objects[0]["spec"]["replicas"] = True


def relabel(objects: list[Any]) -> None:
    objects[0]["metadata"]["labels"]["jsorc.jaseci.org/service"] = "svc-00000"


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lose, "is missing"),
        (add, "should not be there"),
        (repeat, "there twice"),
        (retype, r"Deployment.* differs"),
        (relabel, r"Deployment.* differs"),
    ],
)
def test_checker(spoil: Any, complaint: str) -> None:
    """An object that is missing, strange, there twice or only nearly the same is found."""
    objects = list(list_objects(10))
    check_objects(reversed(objects), list_objects(10))

    spoil(objects)

    with pytest.raises(CheckError, match=complaint):
        check_objects(objects, list_objects(10))


@pytest.mark.slow
def test_chains(bench: RenderBench) -> None:
    """One command runs all of jsorc's chains: first, unchanged, changed, unlinted, committed; and checks them."""
    chains = make_chains(bench, without=frozenset({"kapitan", "kadet", "kustomize"}))

    samples = measure_chains(bench, chains, rounds=1)

    assert len(samples) == 10
    assert all(each.cpu > 0 and each.wall > 0 and each.rss < 200 for each in samples)
    values = yaml.safe_load(
        (bench.scratch / "jsorc-commit/templates" / make_name(0) / "service.yaml").read_text()
    )
    assert values["values"]["version"] == CHANGED_VERSION


def test_failing_command(bench: Bench) -> None:
    """A command that fails ends the bench, with what it printed."""
    with pytest.raises(CheckError, match=r"failed with 7.*\n.*no such chart"):
        run_step(bench, make_step(bench, "echo no such chart >&2; exit 7"), number=1)


def test_changing_output(bench: Bench) -> None:
    """A command that does not write in every round what was checked in the first ends the bench."""
    chain = Chain(steps=(make_step(bench, "echo more >> out"),))

    with pytest.raises(CheckError, match="did not write the same"):
        measure_chains(bench, [chain], rounds=2)


def test_memory_account(bench: Bench) -> None:
    """The memory of a command is its own and its children's, none of the process that measures."""
    ballast = bytearray(200 << 20)
    ballast[:: 1 << 12] = b"x" * (len(ballast) >> 12)

    small = run_step(bench, make_step(bench, "touch out"), number=1)
    child = f"{sys.executable} -c 'b = bytearray(range(256)) * (100 << 12)'; touch out"
    large = run_step(bench, make_step(bench, child), number=1)

    assert small.rss < 50
    assert 100 < large.rss < 180
    assert len(ballast) == 200 << 20


def test_bars() -> None:
    """A bar compares medians and names the range of single rounds; a round that a peer lacks does not count."""
    samples = [*make_samples("kapitan", 1000, 9.0, 12.0), *make_samples(SHARED, 1000, 1.0, 0.8, 1.0)]

    bar = find_bar(samples, "1,000: kapitan / jsorc render, shared")

    assert bar == Bar(claim=bar.claim, bar=">= 10", measured=10.5, low=9.0, high=15.0, met=True)
    assert find_bar(samples, "5,000: kapitan / jsorc render, shared").met is None
    assert "  met" in "\n".join(format_bars([bar]))
    assert "1,000 objects" in "\n".join(format_figures(samples))


@pytest.mark.parametrize(("power", "met"), [(1, True), (1.2, False), (2, False)])
def test_growth(power: float, met: bool) -> None:  # noqa: FBT001 - pytest passes parameters by name
    """Time that grows with the number of objects is linear; what grows faster is found."""
    samples = [
        sample for size in (5, 1000, 5000, 20000) for sample in make_samples(SHARED, size, (size / 1000) ** power)
    ]

    exponent = find_bar(samples, "time of jsorc render, shared: exponent from 1,000 to 20,000")
    ratio = find_bar(samples, "time of jsorc render, shared: 20,000 / 5,000")

    assert exponent.measured == pytest.approx(power, abs=0.01)
    assert (exponent.met, ratio.met) == (met, met)

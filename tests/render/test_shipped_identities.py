"""The services this repository ships, against the manifests Jaseci itself shipped.

What an installation relies on must be the same: identities, selectors (immutable), ports, images but for
their tags. What was made better on purpose is in docs/services.md. Not tested here: that an API server takes
them (tests/journeys), that the programs in the images do.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.jaseci.packages import read_jsorcs
from tests.render.shipped import (
    ADDED,
    IN_CLUSTER,
    PAGE,
    ROOT,
    TEMPLATES,
    WITH_VALUES,
    WITHIN_JASECI,
    Body,
    all_objects,
    facts_of,
    objects_of,
    pod_templates,
    spell,
    split_image,
)

# What Jaseci's manifests say of identities, selectors, ports and images, and nothing else of them: of
# promon and redis those at commit 3b5ad63d1, of database and elastic those of 1.4.2.6; of jaseci the script
# that deploys it (scripts/jsorc), and the image that its packaging guide names.
FACTS: dict[str, Body] = json.loads(Path(__file__).with_name("jaseci_identities.json").read_text())
SEED = ROOT.parent / "shared" / "jaseci" / "manifests" / "v2-seed-3b5ad63d1"

# Passwords are referred to, JsOrc's rights are not needed, the server starts without a file.
LEFT_OUT = {
    "database": {"Secret/jaseci-db-credentials"},
    "jaseci": {
        "ClusterRole/jaseci-orc",
        "ClusterRoleBinding/jaseci-orc-rolebinding",
        "ConfigMap/jaseci-up",
        "Secret/jaseci-db-credentials",
    },
}


def collect(service: str, fact: str) -> dict[str, Any]:
    return {spell(body): facts[fact] for body in objects_of(service) if fact in (facts := facts_of(body))}


def expect(service: str, fact: str) -> dict[str, Any]:
    return {name: facts[fact] for name, facts in FACTS[service].items() if fact in facts}


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_every_service_of_jaseci_is_shipped() -> None:
    """templates/ holds Jaseci's own services, what they need in the cluster, jsorc itself, and no other."""
    names = sorted(path.name for path in TEMPLATES.iterdir())

    assert names == sorted([*WITH_VALUES, *WITHIN_JASECI])
    assert sorted(FACTS) == IN_CLUSTER


@pytest.mark.parametrize("service", IN_CLUSTER)
def test_identities(service: str) -> None:
    """A service's objects are those Jaseci made, each once, so that an installation can be taken over."""
    expected = (FACTS[service].keys() - LEFT_OUT.get(service, set())) | ADDED.get(service, set())

    assert sorted(map(spell, objects_of(service))) == sorted(expected)


@pytest.mark.parametrize("service", WITHIN_JASECI)
def test_services_within_jaseci_have_no_objects(service: str) -> None:
    """Mail, files, payments and tasks live in Jaseci's own process: nothing for the cluster."""
    assert objects_of(service) == []


@pytest.mark.parametrize("service", IN_CLUSTER)
@pytest.mark.parametrize("fact", ["selector", "ports"])
def test_what_others_rely_on(service: str, fact: str) -> None:
    """Workloads and Services select by the same labels (others would be refused), and listen as before."""
    assert collect(service, fact) == expect(service, fact)


def test_definitions() -> None:
    """The kinds of Elastic have the same names, and versions that clusters may have stored."""
    assert collect("elastic", "definition") == expect("elastic", "definition")


def test_webhooks() -> None:
    """The operator is asked at the paths it answers, by webhooks of the same names."""
    assert collect("elastic", "webhooks") == expect("elastic", "webhooks")


@pytest.mark.parametrize("service", IN_CLUSTER)
def test_image_repositories(service: str) -> None:
    """Containers run images of the same repositories; tags may be newer."""
    repositories, expected = (
        {
            workload: {name: split_image(image)[0] for name, image in images.items()}
            for workload, images in source.items()
        }
        for source in (collect(service, "images"), expect(service, "images"))
    )

    assert repositories == expected


@pytest.mark.parametrize("service", IN_CLUSTER)
def test_image_tags(service: str) -> None:
    """Every image has a tag that does not move, and docs/services.md lists it."""
    images = {image for each in collect(service, "images").values() for image in each.values()}

    assert images
    assert {image for image in images if split_image(image)[1] in {"", "latest"}} == set()
    assert {image for image in images if f"`{image}`" not in PAGE} == set()


# A fresh clone has no ../shared. A skipped test would be noise there for ever, so where the manifests
# are missing this is not collected at all; the table they were read into is what the tests above use.
if SEED.is_dir():

    @pytest.mark.parametrize("service", ["promon", "redis"])
    def test_table_is_what_the_seed_says(service: str) -> None:
        """jaseci_identities.json holds the facts of the seed's manifests, all of them, and no others."""
        bodies = yaml.safe_load_all((SEED / f"{service}.yaml").read_text())

        assert {spell(body): facts_of(body) for body in bodies if body} == FACTS[service]


@pytest.mark.real
@pytest.mark.parametrize("service", ["database", "elastic"])
def test_table_is_what_jaseci_says(service: str) -> None:
    """jaseci_identities.json holds the facts of the manifests that Jaseci 1.4.2.6 ships, all of them."""
    bodies = read_jsorcs(service, namespace="default")

    assert {spell(body): facts_of(body) for body in bodies} == FACTS[service]


def test_workloads_find_their_own_pods_and_no_others() -> None:
    """Each workload's selector matches its own pods and those of no other workload shipped."""
    templates = pod_templates()
    # The pods of a CronJob are found by their owner.
    bodies = [body for body in all_objects() if spell(body) in templates and body["kind"] != "CronJob"]
    selectors = {spell(body): facts_of(body)["selector"] for body in bodies}
    found = {
        name: [other for other in templates if matches(selector, templates[other]["metadata"]["labels"])]
        for name, selector in selectors.items()
    }

    assert found == {name: [name] for name in selectors}


def test_services_lead_to_the_pods_of_one_workload() -> None:
    """Each Service selects the pods of the workload of its own name (the operator's: of it), and no others."""
    services = {body["metadata"]["name"]: body for body in all_objects() if body["kind"] == "Service"}
    found = {name: list(find_workloads(body["spec"]["selector"])) for name, body in services.items()}

    assert found == {name: [name] for name in found} | {"elastic-webhook-server": ["elastic-operator"]}


def find_workloads(selector: Mapping[str, str]) -> Iterator[str]:
    for name, template in pod_templates().items():
        if matches(selector, template["metadata"]["labels"]):
            yield name.partition("/")[2]


def test_jsorc_finds_the_pods_it_looks_for() -> None:
    """The pods that Jaseci asks for by the label `pod` carry it, and no others do."""
    labelled = {name: template["metadata"]["labels"].get("pod") for name, template in pod_templates().items()}

    assert {name: label for name, label in labelled.items() if label} == {
        "Deployment/jaseci": "jaseci",
        "Deployment/jaseci-db": "jaseci-db",
        "Deployment/jaseci-prometheus-server": "jaseci-prometheus-server",
        "Deployment/jaseci-redis": "jaseci-redis",
    }


def test_nothing_looks_like_helms() -> None:
    """No object or pod carries a mark by which tools would take Helm for its owner."""
    metadata = [body["metadata"] for body in all_objects()]
    metadata += [template["metadata"] for template in pod_templates().values()]
    labels = {item for each in metadata for item in each.get("labels", {}).items()}

    assert {key for key, _ in labels} & {"helm.sh/chart", "chart", "heritage"} == set()
    assert "Helm" not in {value for _, value in labels}

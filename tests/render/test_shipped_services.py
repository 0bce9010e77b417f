"""The services this repository ships, against the manifests Jaseci itself shipped (commit 3b5ad63d1).

What an installation relies on must be the same: identities, selectors (immutable), ports, images but
for their tags. What was made better on purpose is in docs/services.md. Not tested here: that an API
server takes them (tests/journeys), that the programs in the images do.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from jsorc_gitops.adapters.files import read_definitions
from jsorc_gitops.model.tree import DEFAULT_TREE
from jsorc_gitops.render.templates import render_manifests

Body = dict[str, Any]

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
SEED = ROOT.parent / "shared" / "jaseci" / "manifests" / "v2-seed-3b5ad63d1"

# What Jaseci's manifests say of identities, selectors, ports and images, and nothing else of them.
FACTS: dict[str, Body] = json.loads(Path(__file__).with_name("seed_identities.json").read_text())

WITH_OBJECTS = sorted(FACTS)
WORKLOADS = ("Deployment", "DaemonSet", "StatefulSet")
JOBS = [
    "prometheus",
    "kubernetes-apiservers",
    "kubernetes-nodes",
    "kubernetes-nodes-cadvisor",
    "kubernetes-service-endpoints",
    "kubernetes-service-endpoints-slow",
    "prometheus-pushgateway",
    "kubernetes-services",
    "kubernetes-pods",
    "kubernetes-pods-slow",
]


def objects_of(service: str, *, namespace: str = "default", **values: Any) -> list[Body]:
    """The objects of a shipped service, with `values` in the place of its own of those names."""
    files = read_definitions(ROOT)[service]
    context = {
        "values": {**definition_of(service).get("values", {}), **values},
        "namespace": namespace,
        "service": service,
        "tree": DEFAULT_TREE,
    }
    return [dict(manifest.body) for manifest in render_manifests(files, context)]


def definition_of(service: str) -> Body:
    definition: Body = yaml.safe_load((TEMPLATES / service / "service.yaml").read_text())
    return definition


def spell(body: Body) -> str:
    return f"{body['kind']}/{body['metadata']['name']}"


def facts_of(body: Body) -> Body:
    """What must stay as it is of one object."""
    if body["kind"] == "Service":
        spec = body["spec"]
        return {"selector": spec["selector"], "ports": [port_facts(port) for port in spec["ports"]]}
    if body["kind"] in WORKLOADS:
        containers = body["spec"]["template"]["spec"]["containers"]
        return {
            "selector": body["spec"]["selector"]["matchLabels"],
            "ports": {each["name"]: [port_facts(port) for port in each.get("ports", ())] for each in containers},
            "images": {each["name"]: each["image"] for each in containers},
        }
    return {}


def port_facts(port: Body) -> Body:
    return {"protocol": "TCP"} | {key: value for key, value in port.items() if key != "name"}


def collect(objects: list[Body], fact: str) -> dict[str, Any]:
    return {spell(body): facts[fact] for body in objects if fact in (facts := facts_of(body))}


def expect(service: str, fact: str) -> dict[str, Any]:
    return {name: facts[fact] for name, facts in FACTS[service].items() if fact in facts}


def split_image(image: str) -> tuple[str, str]:
    repository, _, tag = image.partition(":")
    return repository, tag


def all_objects() -> list[Body]:
    return [body for service in WITH_OBJECTS for body in objects_of(service)]


def pod_templates() -> dict[str, Body]:
    return {spell(body): body["spec"]["template"] for body in all_objects() if body["kind"] in WORKLOADS}


def containers_of(template: Body) -> Iterator[Body]:
    yield from template["spec"]["containers"]


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def config_file(objects: list[Body], name: str, key: str) -> Any:
    [body] = [each for each in objects if spell(each) == f"ConfigMap/{name}"]
    return yaml.safe_load(body["data"][key])


def test_every_service_the_seed_keeps_alive_is_shipped() -> None:
    """templates/ holds the four services of the seed's keep_alive, and no other."""
    assert sorted(path.name for path in TEMPLATES.iterdir()) == ["mail", "promon", "redis", "task"]


@pytest.mark.parametrize("service", WITH_OBJECTS)
def test_identities(service: str) -> None:
    """A service's objects are those Jaseci made, each once, so that an installation can be taken over."""
    assert sorted(map(spell, objects_of(service))) == sorted(FACTS[service])


@pytest.mark.parametrize("service", WITH_OBJECTS)
def test_selectors(service: str) -> None:
    """Workloads and Services select by the same labels; a running workload would refuse others."""
    assert collect(objects_of(service), "selector") == expect(service, "selector")


@pytest.mark.parametrize("service", WITH_OBJECTS)
def test_ports(service: str) -> None:
    """Containers of the same names listen, and Services answer, on the same ports."""
    assert collect(objects_of(service), "ports") == expect(service, "ports")


@pytest.mark.parametrize("service", WITH_OBJECTS)
def test_image_repositories(service: str) -> None:
    """Containers run images of the same repositories; tags may be newer."""
    repositories, expected = (
        {
            workload: {name: split_image(image)[0] for name, image in images.items()}
            for workload, images in source.items()
        }
        for source in (collect(objects_of(service), "images"), expect(service, "images"))
    )

    assert repositories == expected


@pytest.mark.parametrize("service", WITH_OBJECTS)
def test_image_tags(service: str) -> None:
    """Every image has a tag that does not move, and docs/services.md lists it."""
    page = (ROOT / "docs" / "services.md").read_text()
    images = {image for each in collect(objects_of(service), "images").values() for image in each.values()}

    assert images
    assert {image for image in images if split_image(image)[1] in {"", "latest"}} == set()
    assert {image for image in images if f"`{image}`" not in page} == set()


# A fresh clone has no ../shared. A skipped test would be noise there for ever, so where the manifests
# are missing this is not collected at all; the table they were read into is what the tests above use.
if SEED.is_dir():

    @pytest.mark.parametrize("service", WITH_OBJECTS)
    def test_table_is_what_the_seed_says(service: str) -> None:
        """seed_identities.json holds the facts of Jaseci's own manifests, all of them, and no others."""
        bodies = yaml.safe_load_all((SEED / f"{service}.yaml").read_text())

        assert {spell(body): facts_of(body) for body in bodies if body} == FACTS[service]


def test_workloads_find_their_own_pods_and_no_others() -> None:
    """Each workload's selector matches its own pods and those of no other workload shipped."""
    templates = pod_templates()
    selectors = {spell(body): facts_of(body)["selector"] for body in all_objects() if spell(body) in templates}
    found = {
        name: [other for other in templates if matches(selector, templates[other]["metadata"]["labels"])]
        for name, selector in selectors.items()
    }

    assert found == {name: [name] for name in templates}


def test_services_lead_to_the_pods_of_one_workload() -> None:
    """Each Service selects the pods of the workload of its own name, and of that one only."""
    templates = pod_templates()
    services = [body for body in all_objects() if body["kind"] == "Service"]
    found = {
        body["metadata"]["name"]: [
            name.partition("/")[2]
            for name, template in templates.items()
            if matches(body["spec"]["selector"], template["metadata"]["labels"])
        ]
        for body in services
    }

    assert found == {name: [name] for name in found}


def test_jsorc_finds_the_pods_it_looks_for() -> None:
    """The pods Jaseci's JsOrc asks for by the label `pod` carry it, and no others do."""
    labelled = {name: template["metadata"]["labels"].get("pod") for name, template in pod_templates().items()}

    assert {name: label for name, label in labelled.items() if label} == {
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


@pytest.mark.parametrize("service", WITH_OBJECTS)
def test_metadata_names_no_namespace(service: str) -> None:
    """Where objects go is the renderer's to say, so no template says it."""
    assert [spell(body) for body in objects_of(service) if "namespace" in body["metadata"]] == []


def test_subjects_follow_the_namespace() -> None:
    """Bindings grant to the ServiceAccounts of the namespace the service is rendered for."""
    subjects = [
        subject
        for body in objects_of("promon", namespace="elsewhere")
        if body["kind"] == "ClusterRoleBinding"
        for subject in body["subjects"]
    ]

    assert {subject["namespace"] for subject in subjects} == {"elsewhere"}
    assert len(subjects) == 4


def test_suffix_names_cluster_scoped_objects_apart() -> None:
    """With clusterScopedSuffix, a second environment in one cluster shares no cluster-scoped name."""
    objects = objects_of("promon", clusterScopedSuffix="-staging")
    cluster_scoped = [body for body in objects if body["kind"].startswith("ClusterRole")]

    assert len(cluster_scoped) == 8
    assert {body["metadata"]["name"].rpartition("-")[2] for body in cluster_scoped} == {"staging"}
    assert {body["roleRef"]["name"].rpartition("-")[2] for body in cluster_scoped if "roleRef" in body} == {
        "staging"
    }


def test_containers_are_locked_down() -> None:
    """No container may gain privileges, keeps capabilities, or writes to its own image."""
    contexts = [
        each["securityContext"] for template in pod_templates().values() for each in containers_of(template)
    ]
    locked_down = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }

    assert [context for context in contexts if context != locked_down] == []


def test_pods_do_not_run_as_root() -> None:
    """Every pod runs as a named user that is not root, under the runtime's system call filter."""
    contexts = {name: template["spec"]["securityContext"] for name, template in pod_templates().items()}

    assert [
        name for name, context in contexts.items() if not (context["runAsNonRoot"] and context["runAsUser"])
    ] == []
    assert {context["seccompProfile"]["type"] for context in contexts.values()} == {"RuntimeDefault"}


def test_only_what_asks_the_api_server_has_a_token() -> None:
    """Only Prometheus and kube-state-metrics, which ask the API server, are given a token for it."""
    barred = {
        body["metadata"]["name"]
        for body in all_objects()
        if body["kind"] == "ServiceAccount" and body.get("automountServiceAccountToken") is False
    }
    with_token = {
        name
        for name, template in pod_templates().items()
        if template["spec"].get("automountServiceAccountToken") is not False
        and template["spec"].get("serviceAccountName") not in barred
    }

    assert with_token == {
        "Deployment/jaseci-prometheus-kube-state-metrics",
        "Deployment/jaseci-prometheus-server",
    }


def test_containers_say_what_they_need() -> None:
    """The scheduler is told of every container what CPU and memory it asks for."""
    requests = [
        each["resources"]["requests"].keys()
        for template in pod_templates().values()
        for each in containers_of(template)
    ]

    assert [keys for keys in requests if keys != {"cpu", "memory"}] == []


def test_containers_with_ports_are_probed() -> None:
    """A container that listens tells whether it is ready, and whether it still lives."""
    unprobed = [
        each["name"]
        for template in pod_templates().values()
        for each in containers_of(template)
        if each.get("ports") and not {"readinessProbe", "livenessProbe"} <= each.keys()
    ]

    assert unprobed == []


def test_prometheus_scrapes_the_same_jobs() -> None:
    """prometheus.yml has Jaseci's scrape jobs, in its order: dashboards ask by the label `job`."""
    config = config_file(objects_of("promon"), "jaseci-prometheus-server", "prometheus.yml")

    assert [job["job_name"] for job in config["scrape_configs"]] == JOBS


def test_prometheus_takes_what_is_added() -> None:
    """A scrape job and rules given as values stand in the files Prometheus reads."""
    job = {"job_name": "mine", "static_configs": [{"targets": ["mine:80"]}]}
    rules = {"groups": [{"name": "mine", "rules": [{"alert": "Down", "expr": "up == 0"}]}]}
    server = {**definition_of("promon")["values"]["server"], "scrapeConfigs": [job], "alertingRules": rules}
    objects = objects_of("promon", server=server)

    assert config_file(objects, "jaseci-prometheus-server", "prometheus.yml")["scrape_configs"][len(JOBS) :] == [
        job
    ]
    assert config_file(objects, "jaseci-prometheus-server", "alerting_rules.yml") == rules


def test_prometheus_verifies_the_api_server() -> None:
    """Certificates are verified unless insecureSkipVerify says otherwise."""
    server = definition_of("promon")["values"]["server"]
    skipping = {
        insecure: [
            job["job_name"]
            for job in config_file(
                objects_of("promon", server={**server, "insecureSkipVerify": insecure}),
                "jaseci-prometheus-server",
                "prometheus.yml",
            )["scrape_configs"]
            if job.get("tls_config", {}).get("insecure_skip_verify")
        ]
        for insecure in (False, True)
    }

    assert skipping == {
        False: [],
        True: ["kubernetes-apiservers", "kubernetes-nodes", "kubernetes-nodes-cadvisor"],
    }


def test_kube_state_metrics_counts_what_it_may_list() -> None:
    """What kube-state-metrics is told to count is what its ClusterRole lets it list: nothing of Secrets."""
    objects = {spell(body): body for body in objects_of("promon")}
    role = objects["ClusterRole/jaseci-prometheus-kube-state-metrics"]
    allowed = sorted(resource for rule in role["rules"] for resource in rule["resources"])
    [container] = containers_of(objects["Deployment/jaseci-prometheus-kube-state-metrics"]["spec"]["template"])

    assert f"--resources={','.join(allowed)}" in container["args"]
    assert "secrets" not in allowed


def test_redis_restarts_for_other_settings() -> None:
    """A changed setting reaches the file and changes the pod template, so that redis reads it."""
    before, after = (
        {spell(body): body for body in objects_of("redis", settings={"maxmemory": size})}
        for size in ("1mb", "2mb")
    )

    assert "maxmemory 2mb\n" in after["ConfigMap/jaseci-redis-config"]["data"]["redis-config"]
    assert (
        before["Deployment/jaseci-redis"]["spec"]["template"]["metadata"]
        != after["Deployment/jaseci-redis"]["spec"]["template"]["metadata"]
    )


@pytest.mark.parametrize("service", ["mail", "task"])
def test_services_within_jaseci_have_no_objects(service: str) -> None:
    """Mail and task live in Jaseci's own process: a definition, and nothing for the cluster."""
    assert objects_of(service) == []


def test_resets_of_promon_watch_the_server() -> None:
    """A roll-out of the Deployment Jaseci talks to resets promon, under the name Jaseci has for it."""
    reset = definition_of("promon")["reset"]

    assert reset["name"] == "prome"
    assert reset["watch"] == ["Deployment/jaseci-prometheus-server"]
    assert set(reset["watch"]) <= pod_templates().keys()


def test_task_waits_for_redis() -> None:
    """Jaseci's task queue is reset after redis, its broker."""
    assert definition_of("task")["dependsOn"] == ["redis"]

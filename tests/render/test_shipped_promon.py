"""What promon's and redis' files say, and what a change of values makes of them."""

from typing import Any

import yaml

from tests.render.shipped import (
    Body,
    containers_of,
    definition_of,
    objects_by_name,
    pod_templates,
)

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


def server_file(key: str, **server: Any) -> Any:
    """A file of Prometheus, with these values of `server`."""
    return yaml.safe_load(server_config(**server)["data"][key])


def server_config(**server: Any) -> Body:
    return objects_by_name("promon", server=server)["ConfigMap/jaseci-prometheus-server"]


def test_prometheus_scrapes_the_same_jobs() -> None:
    """prometheus.yml has Jaseci's scrape jobs, in its order: dashboards ask by the label `job`."""
    assert [job["job_name"] for job in server_file("prometheus.yml")["scrape_configs"]] == JOBS


def test_prometheus_takes_what_is_added() -> None:
    """A scrape job and rules given as values stand in the files Prometheus reads."""
    job = {"job_name": "mine", "static_configs": [{"targets": ["mine:80"]}]}
    rules = {"groups": [{"name": "mine", "rules": [{"alert": "Down", "expr": "up == 0"}]}]}

    assert server_file("prometheus.yml", scrapeConfigs=[job])["scrape_configs"][len(JOBS) :] == [job]
    assert server_file("alerting_rules.yml", alertingRules=rules) == rules


def test_prometheus_verifies_the_api_server() -> None:
    """Certificates are verified unless insecureSkipVerify says otherwise."""
    skipping = {
        insecure: [
            job["job_name"]
            for job in server_file("prometheus.yml", insecureSkipVerify=insecure)["scrape_configs"]
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
    objects = objects_by_name("promon")
    role = objects["ClusterRole/jaseci-prometheus-kube-state-metrics"]
    allowed = sorted(resource for rule in role["rules"] for resource in rule["resources"])
    [container] = containers_of(objects["Deployment/jaseci-prometheus-kube-state-metrics"]["spec"]["template"])

    assert f"--resources={','.join(allowed)}" in container["args"]
    assert "secrets" not in allowed


def test_resets_of_promon_watch_the_server() -> None:
    """A roll-out of the Deployment Jaseci talks to resets promon, under the name Jaseci has for it."""
    reset = definition_of("promon")["reset"]

    assert reset["name"] == "prome"
    assert reset["watch"] == ["Deployment/jaseci-prometheus-server"]
    assert set(reset["watch"]) <= pod_templates().keys()


def test_redis_restarts_for_other_settings() -> None:
    """A changed setting reaches the file and changes the pod template, so that redis reads it."""
    before, after = (objects_by_name("redis", settings={"maxmemory": size}) for size in ("1mb", "2mb"))

    assert "maxmemory 2mb\n" in after["ConfigMap/jaseci-redis-config"]["data"]["redis-config"]
    assert (
        before["Deployment/jaseci-redis"]["spec"]["template"]["metadata"]
        != after["Deployment/jaseci-redis"]["spec"]["template"]["metadata"]
    )


def test_task_waits_for_redis() -> None:
    """Jaseci's task queue is reset after redis, its broker."""
    assert definition_of("task")["dependsOn"] == ["redis"]

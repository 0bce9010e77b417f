"""What the bench renders: services of five objects each, as values for templates and as finished objects.

The objects are written here a second time, apart from the templates: every tool's output is held against
them. The file stands by itself, because kapitan's Python input loads a copy of it.
"""

from typing import Any

OBJECTS_PER_SERVICE = 5
NAMESPACE = "default"  # every cluster has it, so no tool adds a Namespace

Values = dict[str, Any]
Object = dict[str, Any]


def make_name(index: int) -> str:
    return f"svc-{index:05d}"


def make_values(index: int, *, version: str = "") -> Values:
    """The values of the service with this index; `version` replaces the one it would have."""
    return {
        "team": f"team-{index % 17}",
        "version": version or f"1.{index % 40}.{index % 7}",
        "replicas": 1 + index % 3,
        "port": 8000 + index % 100,
        "cpu": f"{50 + index % 10 * 10}m",
        "memory": f"{64 + index % 8 * 32}Mi",
        "environment": {
            "LOG_LEVEL": ("debug", "info", "warning")[index % 3],
            "FEATURE_CACHE": ("on", "off")[index % 2],
            "REGION": f"eu-{index % 5}",
            "REDIS_URL": f"redis://redis.{NAMESPACE}.svc:6379/{index % 16}",
        },
        "upstreams": [make_name((index + step) % 1000) for step in (1, 2, 3)],
        "alerts": {"TooBusy": 1000 + index, "TooManyErrors": 5 + index % 20, "TooSlow": 250},
        "operators": [f"operator-{index % 11}@example.com"],
    }


def make_objects(name: str, values: Values) -> list[Object]:
    """The five objects of one service."""
    return [
        _make_deployment(name, values),
        {
            **_make_head("v1", "Service", name, values),
            "spec": {
                "type": "ClusterIP",
                "selector": {"app.kubernetes.io/name": name},
                "ports": [
                    {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
                    {"name": "metrics", "port": 9102, "targetPort": "metrics", "protocol": "TCP"},
                ],
            },
        },
        {**_make_head("v1", "ConfigMap", name, values), "data": _make_texts(name, values)},
        {**_make_head("rbac.authorization.k8s.io/v1", "Role", name, values), "rules": _make_rules(name)},
        {
            **_make_head("rbac.authorization.k8s.io/v1", "RoleBinding", name, values),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [
                {"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE},
                *(
                    {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
                    for user in values["operators"]
                ),
            ],
        },
    ]


def _make_head(api_version: str, kind: str, name: str, values: Values) -> Object:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": values["team"]}
    metadata: Object = {"name": name, "namespace": NAMESPACE, "labels": labels}
    if kind == "Deployment":
        metadata["labels"] |= {
            "app.kubernetes.io/component": "server",
            "app.kubernetes.io/version": values["version"],
        }
    if kind == "Service":
        metadata["annotations"] = {"prometheus.io/scrape": "true", "prometheus.io/port": "9102"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _make_deployment(name: str, values: Values) -> Object:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": values["team"]}
    return {
        **_make_head("apps/v1", "Deployment", name, values),
        "spec": {
            "replicas": values["replicas"],
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 30,
                    "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
                    "containers": [_make_server(name, values), _make_exporter(values)],
                    "volumes": [{"name": "config", "configMap": {"name": name}}],
                },
            },
        },
    }


def _make_server(name: str, values: Values) -> Object:
    pod_name = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    environment = [{"name": key, "value": value} for key, value in sorted(values["environment"].items())]
    return {
        "name": "server",
        "image": f"shop/{name}:{values['version']}",
        "imagePullPolicy": "IfNotPresent",
        "args": ["serve", f"--config=/etc/{name}/server.conf"],
        "env": [*environment, pod_name],
        "ports": [{"name": "http", "containerPort": values["port"], "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/alive", "port": "http"}, "initialDelaySeconds": 10},
        "resources": {
            "requests": {"cpu": values["cpu"], "memory": values["memory"]},
            "limits": {"memory": values["memory"]},
        },
        "volumeMounts": [{"name": "config", "mountPath": f"/etc/{name}", "readOnly": True}],
    }


def _make_exporter(values: Values) -> Object:
    return {
        "name": "metrics",
        "image": "shop/metrics:2.4.1",
        "args": ["--listen=:9102", f"--scrape=http://127.0.0.1:{values['port']}/stats"],
        "ports": [{"name": "metrics", "containerPort": 9102, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
    }


def _make_texts(name: str, values: Values) -> dict[str, str]:
    server = [
        f"# Server of {name}, team {values['team']}",
        f"listen = 0.0.0.0:{values['port']}",
        f"workers = {values['replicas'] * 2}",
        "log.format = json",
        f"log.level = {values['environment']['LOG_LEVEL']}",
        "",
        "[upstream]",
        *(f"{each} = http://{each}.{NAMESPACE}.svc/api/v1" for each in values["upstreams"]),
        "",
        "[cache]",
        f"address = {values['environment']['REDIS_URL']}",
        f"prefix = {name}:",
        "ttl_seconds = 300",
        "max_entries = 10000",
        "",
        "[limits]",
        f"requests_per_second = {100 * values['replicas']}",
        "body_bytes = 1048576",
        "header_bytes = 16384",
        "timeout_seconds = 30",
    ]
    alerts = ["groups:", f"  - name: {name}", "    rules:"]
    for alert, limit in sorted(values["alerts"].items()):
        alerts += [
            f"      - alert: {alert}",
            f'        expr: sum(rate(http_requests_total{{service="{name}"}}[5m])) > {limit}',
            "        for: 10m",
            f"        labels: {{severity: page, team: {values['team']}}}",
            f'        annotations: {{runbook: "https://runbooks.example.com/{name}/{alert}"}}',
        ]
    return {"server.conf": "\n".join(server) + "\n", "alerts.rules": "\n".join(alerts) + "\n"}


def _make_rules(name: str) -> list[Object]:
    reading = ["get", "list", "watch"]
    return [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [name],
            "verbs": ["get", "watch"],
        },
        {"apiGroups": [""], "resources": ["pods", "pods/log", "services", "endpoints"], "verbs": reading},
        {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": reading},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": [f"{name}-leader"],
            "verbs": ["get", "create", "update", "patch"],
        },
    ]

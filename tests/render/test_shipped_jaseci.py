"""The Jaseci server and its database: that they find one another, and the other services."""

from typing import Any

from tests.render.shipped import Body, containers_of, definition_of, objects_by_name

SECRET = "jaseci-db-credentials"  # noqa: S105 - its name


def container(service: str, workload: str, **values: Any) -> Body:
    [found] = containers_of(objects_by_name(service, **values)[workload]["spec"]["template"])
    return found


def server_env(**values: Any) -> dict[str, Any]:
    """{name: value, or where it comes from} of the Jaseci server."""
    env = container("jaseci", "Deployment/jaseci", **values)["env"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in env}


def test_server_finds_the_services() -> None:
    """Jaseci is told the Services of redis, Prometheus and the database by their names."""
    env = server_env()

    assert f"Service/{env['REDIS_HOST']}" in objects_by_name("redis")
    assert f"Service/{env['PROME_HOST']}" in objects_by_name("promon")
    assert f"Service/{env['POSTGRES_HOST']}" in objects_by_name("database")
    assert "ELASTIC_HOST" not in env


def test_server_and_database_have_the_same_credentials() -> None:
    """User and password of both come from the same keys of the same Secret."""
    database = container("database", "Deployment/jaseci-db")["env"]
    server = container("jaseci", "Deployment/jaseci")["env"]
    keys = {each["valueFrom"]["secretKeyRef"]["key"] for each in database if "valueFrom" in each}

    assert [each for each in database if "valueFrom" in each] == [each for each in server if "valueFrom" in each]
    assert {each["valueFrom"]["secretKeyRef"]["name"] for each in server if "valueFrom" in each} == {SECRET}
    assert keys == {"user", "password"}


def test_jsorc_stays_off() -> None:
    """Jaseci's own JsOrc is given no namespace to work in; what is added by hand comes through as text."""
    env = server_env(env={"POSTGRES_PORT": 5433})

    assert "KUBE_NAMESPACE" not in env
    assert env["POSTGRES_PORT"] == "5433"


def test_server_without_prometheus() -> None:
    """Without a Prometheus nothing is said of it, so that Jaseci leaves its prome disabled."""
    assert "PROME_HOST" not in server_env(prometheus=None)


def test_server_with_elasticsearch() -> None:
    """Elasticsearch is found by the name its certificate has; password and certificate come as files."""
    spec = objects_by_name("jaseci", elastic=True, namespace="here")["Deployment/jaseci"]["spec"]["template"][
        "spec"
    ]
    mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
    [volume] = [each for each in spec["volumes"] if each["name"] == "elastic"]
    files = {
        (source["secret"]["name"], item["key"]): item["path"]
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    env = server_env(elastic=True, namespace="here")

    assert env["ELASTIC_HOST"] == "jaseci-es-internal-http.here.svc"
    assert env["ELASTIC_FILES"] == mounts["elastic"]
    assert files == {
        ("jaseci-es-elastic-user", "elastic"): "password",
        ("jaseci-es-http-certs-internal", "ca.crt"): "ca.crt",
    }


def test_database_lies_where_jsorcs_did() -> None:
    """PostgreSQL keeps its files in the folder `jaseci` of the claim, where JsOrc's pods have them."""
    found = container("database", "Deployment/jaseci-db")
    [folder] = [each["value"] for each in found["env"] if each["name"] == "PGDATA"]
    [mount] = [each for each in found["volumeMounts"] if each["name"] == "jaseci-db-volume"]

    assert folder == f"{mount['mountPath']}/jaseci"
    assert "subPath" not in mount


def test_database_takes_settings() -> None:
    """Settings are what PostgreSQL is started with, in a stable order."""
    settings = {"shared_buffers": "1GB", "max_connections": 200}

    assert container("database", "Deployment/jaseci-db", settings=settings)["args"] == [
        "postgres",
        "--max_connections=200",
        "--shared_buffers=1GB",
    ]


def test_jaseci_is_not_asked_of_what_it_does_not_know() -> None:
    """The server and its database are no services to Jaseci, so nothing is asked about them or reset."""
    assert {service: definition_of(service)["reset"] for service in ("database", "jaseci")} == {
        "database": {"via": "none"},
        "jaseci": {"via": "none"},
    }

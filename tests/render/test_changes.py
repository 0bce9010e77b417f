"""What a new tree changes, in the field's terms, and the commit message that says it."""

import subprocess
from dataclasses import replace
from typing import Any

import pytest

from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.tree import make_record_manifest, make_settings_manifest
from jsorc_gitops.render.changes import ServiceChange, diff_manifests, format_message
from tests.model.builders import index, make_deployment, make_manifest, make_record

SOURCE = "0123456789012345678901234567890123456789"
TRAILERS = {"Jsorc-Source": SOURCE, "Jsorc-Digest": "sha256:abc", "Jsorc-Version": "1.2.3"}


def diff(old: list[Manifest], new: list[Manifest]) -> list[tuple[str, tuple[str, ...], str]]:
    return [(each.service, each.lines, each.summary) for each in diff_manifests(index(*old), index(*new))]


def diff_field(old: Any, new: Any, kind: str = "ConfigMap") -> tuple[str, ...]:
    """The lines for one object whose field `data` differs."""
    [(_, lines, _)] = diff([make_manifest(kind, data=old)], [make_manifest(kind, data=new)])
    return lines


def message(*changes: ServiceChange, allow_prune: tuple[str, ...] = ()) -> str:
    return format_message(changes, source=SOURCE, digest="sha256:abc", version="1.2.3", allow_prune=allow_prune)


def change(service: str, summary: str, *lines: str) -> ServiceChange:
    return ServiceChange(service=service, lines=lines, summary=summary)


def parse_trailers(text: str) -> list[tuple[str, str]]:
    """What git itself takes for the trailers of a message."""
    command = ["git", "interpret-trailers", "--parse"]
    output = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return [(key, value.strip()) for key, _, value in (line.partition(":") for line in output.splitlines())]


def test_nothing_changed() -> None:
    """Two trees of the same meaning have no changes."""
    objects = [make_deployment(), make_manifest()]

    assert diff(objects, objects[::-1]) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"image": "redis:6"}, {"image": "redis:7"}, "image 6→7"),
        ({"image": "redis:6"}, {"image": "valkey:8"}, "image redis:6→valkey:8"),
        ({"image": "host:5000/redis:6"}, {"image": "host:5000/redis:7"}, "image 6→7"),
        ({"image": "redis"}, {"image": "redis:7"}, "image redis→redis:7"),
        ({"replicas": 1}, {"replicas": 3}, "replicas 1→3"),
        ({"image": "redis:6", "replicas": 1}, {"image": "redis:7", "replicas": 3}, "replicas 1→3, image 6→7"),
    ],
)
def test_what_reviewers_ask_for_is_told_with_its_values(
    old: dict[str, Any], new: dict[str, Any], told: str
) -> None:
    """Images and replicas are told from what to what, an image by its tag where no more of it changes."""
    assert diff([make_deployment(**old)], [make_deployment(**new)]) == [
        ("redis", (f"~ Deployment/redis: {told}",), f"redis {told}")
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"a": "1"}, {"a": "2"}, "data.a"),
        ({"a": "1"}, {"b": "1"}, "data.a, data.b"),
        ({"a": [{"b": 1}, {"c": 1}]}, {"a": [{"b": 2}, {"c": 1}]}, "data.a[0].b"),
        ({"a": [1]}, {"a": [1, 2]}, "data.a[1]"),
        ({"a": [{"name": "x"}]}, {"a": [{"name": "y"}, {"name": "x"}]}, 'data.a[name="y"]'),
        ({"a": [1, 2]}, {"a": [2, 1]}, "data.a"),
        ({"a\nb": 1}, {"a\nb": 2}, "data.a\\nb"),
        ({"image": "x" * 70}, {"image": "y"}, f"image {'x' * 59}…→y"),
        ({"storage": "1Gi"}, {"storage": "2Gi"}, "storage 1Gi→2Gi"),
        ({"image": "redis:6"}, {}, "data.image"),
        ({"a": 1}, {"a": True}, "data.a"),
        ({"a": 1}, {"a": 1.0}, "data.a"),
        ({"a": [True]}, {"a": [1]}, "data.a[0]"),
        ({"a": None}, {}, "changed"),
    ],
)
def test_other_fields_are_told_by_name(old: dict[str, Any], new: dict[str, Any], told: str) -> None:
    """Of other fields the smallest part that differs is named, also where Python finds the values equal."""
    assert diff_field(old, new) == (f"~ ConfigMap/x: {told}",)


def test_nothing_of_a_secret_is_told() -> None:
    """Of a Secret not even the names of its keys get into a commit message."""
    assert diff_field({"password": "a"}, {"pass": "b"}, kind="Secret") == ("~ Secret/x: changed",)


def test_added_changed_and_removed_objects() -> None:
    """The objects of a service are told in that order, each with its kind."""
    old = [make_deployment(), make_manifest("Service", "old"), make_manifest("Secret", "old")]
    new = [make_deployment(replicas=2), make_manifest("Service", "new"), make_manifest("Secret", "new")]

    assert diff(old, new) == [
        (
            "redis",
            (
                "+ Secret/new",
                "+ Service/new",
                "~ Deployment/redis: replicas 1→2",
                "- Secret/old",
                "- Service/old",
            ),
            "redis replicas 1→2",
        )
    ]


def test_services_are_told_apart() -> None:
    """Each service that changes has a part of its own, the tree's own objects come first."""
    old = [make_manifest(service="gone"), make_manifest("Namespace", "a", namespace="", service="")]
    new = [make_manifest(service="new"), make_manifest("Namespace", "b", namespace="", service="")]
    old, new = [*old, make_manifest("Secret", service="same")], [*new, make_manifest("Secret", service="same")]
    moved = ("- ConfigMap/x",), ("+ ConfigMap/x",)

    assert diff([old[1], old[2]], [new[1], new[2]]) == [("", ("+ Namespace/b", "- Namespace/a"), "settings")]
    assert diff([old[0], old[2]], [old[2]]) == [("gone", moved[0], "gone removed")]
    assert diff([old[2]], [new[0], old[2]]) == [("new", moved[1], "new added")]


def make_records(**changes: Any) -> list[Manifest]:
    """The record of a service, before and after."""
    records = make_record(), replace(make_record(), **changes)
    return [make_record_manifest(each, Settings(), "default") for each in records]


def test_a_record_speaks_where_nothing_else_does() -> None:
    """What a record says follows from the rest, so it stands in the subject only when it changes alone."""
    record = make_records(depends_on=("task",))
    deployment = [make_deployment(image=image) for image in ("redis:6", "redis:7")]

    assert [diff(record[:1], record[1:])[0][2]] == ["redis dependsOn +task"]
    assert [diff([record[0], deployment[0]], [record[1], deployment[1]])[0][2]] == ["redis image 6→7"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"keep_alive": False}, "keepAlive true→false"),
        ({"config": {"password": "secret"}}, "config.password"),
        ({"via": "none"}, "reset.via jaseci→none"),
        ({"depends_on": ("task", "mail")}, "dependsOn +task, dependsOn +mail"),
    ],
)
def test_a_record_is_told_by_its_fields(changes: dict[str, Any], told: str) -> None:
    """Of the record of a service its fields are told, of its config their names alone."""
    old, new = make_records(**changes)
    assert diff([old], [new])[0][1] == (f"~ ConfigMap/jsorc.record.default.redis: {told}",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (Settings(), Settings(enabled=False, interval=20), "enabled true→false, interval 10→20"),
        (Settings(), Settings(keep_alive=("redis", "mail")), "keep_alive +[redis, mail]"),
        (Settings(keep_alive=("redis", "mail")), Settings(keep_alive=("redis",)), "keep_alive -mail"),
        (Settings(keep_alive=("redis", "mail")), Settings(keep_alive=("mail", "redis")), "keep_alive"),
        (Settings(cluster="1"), Settings(), 'cluster -"1"'),
        (Settings(), Settings(namespaces={"redis": "home"}), "namespaces"),
    ],
)
def test_settings_are_told_by_their_fields(old: Settings, new: Settings, told: str) -> None:
    """What changes in jsorc.yaml is told in its own words, not as one text of JSON."""
    [(_, lines, summary)] = diff(*([make_settings_manifest(each, "default")] for each in (old, new)))
    assert (lines, summary) == ((f"~ ConfigMap/jsorc.settings.default: {told}",), "settings")


@pytest.mark.parametrize("text", ['{"version": 1, "settings": []}', "[]", "1", "broken", ""])
def test_settings_that_are_none_are_told(text: str) -> None:
    """A record that somebody edited by hand is a change like any other."""
    old = make_settings_manifest(Settings(), "default")
    new = make_manifest(name=old.ref.name, service="", data={"settings.json": text})
    [(_, (line,), summary)] = diff([old], [new])
    field = "data.settings.json.settings" if "settings" in text else "data.settings.json"
    assert (line, summary) == (f"~ ConfigMap/jsorc.settings.default: {field}", "settings")


def test_an_object_that_moves_to_another_service_is_told() -> None:
    """The same object under another service's label is a change of it, told where it is now."""
    [come] = diff(
        [make_manifest(service="a")], [make_manifest(service="b"), make_manifest("Secret", service="b")]
    )

    assert come == ("b", ("+ Secret/x", "~ ConfigMap/x: from a"), "b added")


def test_the_whole_message() -> None:
    """Subject, a paragraph per service, trailers."""
    changes = [
        change("", "settings", "~ ConfigMap/jsorc.settings.default: data.settings.json"),
        change("redis", "redis image 6→7", "~ Deployment/redis: image 6→7", "- Service/old"),
    ]

    assert message(*changes, allow_prune=("redis", "mail")) == (
        "render: settings; redis image 6→7\n"
        "\n"
        "tree:\n"
        "  ~ ConfigMap/jsorc.settings.default: data.settings.json\n"
        "\n"
        "redis:\n"
        "  ~ Deployment/redis: image 6→7\n"
        "  - Service/old\n"
        "\n"
        f"Jsorc-Source: {SOURCE}\n"
        "Jsorc-Digest: sha256:abc\n"
        "Jsorc-Version: 1.2.3\n"
        "Jsorc-Prune: mail\n"
        "Jsorc-Prune: redis\n"
    )


def test_git_reads_the_trailers() -> None:
    """Git finds our trailers, all of them and nothing else, also below lines that look like some."""
    text = message(change("a", "a", "~ A/a: image Signed-off-by: x"), allow_prune=("redis", "mail"))

    assert parse_trailers(text) == [*TRAILERS.items(), ("Jsorc-Prune", "mail"), ("Jsorc-Prune", "redis")]


def test_git_reads_no_consent_from_a_value() -> None:
    """A value that is made to look like a consent to pruning is none."""
    consents = [f"a\n\nJsorc-Prune: {name}\n\n" for name in ("x", "redis")]
    old, new = (
        index(make_deployment(image=each), make_manifest(name=each, data={each: each})) for each in consents
    )
    text = message(*diff_manifests(old, new))

    assert parse_trailers(text) == list(TRAILERS.items())


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ([change("redis", "redis " + "x" * 58)], "render: redis " + "x" * 58),
        ([change("redis", "redis " + "x" * 59)], "render: redis"),
        ([change("", "settings"), change("redis", "x" * 80)], "render: settings, redis"),
        ([change(f"service-{n}", "x" * 80) for n in range(9)], "render: 9 services"),
        ([], "render: files"),
    ],
)
def test_the_subject_fits_into_a_line(changes: list[ServiceChange], subject: str) -> None:
    """A subject has at most 72 characters: what does not fit is told with fewer words."""
    first = message(*changes).partition("\n")[0]

    assert first == subject
    assert len(first) <= 72


def test_a_consent_alone_has_a_subject() -> None:
    """A commit that only consents to pruning says so."""
    assert message(allow_prune=("redis", "mail")).splitlines()[:2] == ["render: allow pruning mail, redis", ""]

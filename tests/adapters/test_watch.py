"""adapters.watch: what a WATCH tells, and that nothing is lost however it ends."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from threading import enumerate as list_threads

import pytest

from jsorc_gitops.adapters import watch as door
from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.adapters.watch import Watch
from jsorc_gitops.model.objects import DeleteRequest
from tests.adapters.sending import apply, connect, make_map, ref_of, refused
from tests.controlplane.proxy import Cut, Delay, Fault, Proxy, Reply, Stream
from tests.controlplane.server import ControlPlane
from tests.waiting import wait_until

pytestmark = pytest.mark.real

MAPS = ("v1", "ConfigMap")
LIST, WATCH = r"^GET .*/configmaps\?limit=", r"^GET .*/configmaps\?.*watch=true"
EXPIRED = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}


def make_line(kind: str, body: object) -> str:
    return json.dumps({"type": kind, "object": body}) + "\n"


def open_watch(cluster: Cluster, namespace: str) -> Watch:
    return cluster.watch_objects([MAPS], selectors=["test=yes"], namespaces=[namespace])


@pytest.fixture
def watch(cluster: Cluster, proxy: Proxy, namespace: str) -> Iterator[Watch]:
    """Of the namespace's ConfigMaps labelled test=yes; `a` is there already, and the WATCH has begun."""
    apply(cluster, make_map(namespace, "a"))
    with open_watch(cluster, namespace) as made:
        assert values(made) == {"a": "value"}
        wait_until(lambda: is_answered(proxy), what="the watch has begun")
        yield made


def values(watch: Watch) -> dict[str, str]:
    """What the first collection is when something of it has changed."""
    assert watch.wait(30)
    (found,) = watch.read()
    assert isinstance(found, list), found
    return {each["metadata"]["name"]: each["data"]["key"] for each in found}


def see(watch: Watch, expected: dict[str, str]) -> None:
    """Read what is told until it is this."""
    wait_until(lambda: values(watch) == expected, what=f"{expected} are told")


def delete(cluster: Cluster, namespace: str, name: str) -> None:
    body = apply(cluster, make_map(namespace, name))["metadata"]
    request = DeleteRequest(
        ref=ref_of(make_map(namespace, name)), uid=body["uid"], resource_version=body["resourceVersion"]
    )
    cluster.delete_objects([request])


def watching(proxy: Proxy, number: int = 1) -> None:
    wait_until(lambda: proxy.count(WATCH) >= number, what=f"{number} watches are begun")


def is_answered(proxy: Proxy) -> bool:
    return any(re.search(WATCH, str(each.request)) for each in proxy.answers)


def break_off(proxy: Proxy) -> None:
    """End the WATCH on its way."""
    assert proxy.break_off(WATCH) == 1


def find_versions(proxy: Proxy) -> list[str]:
    """The resourceVersions at which watches began, in order."""
    asked = [str(each) for each in proxy.requests if re.search(WATCH, str(each))]
    return [each.partition("resourceVersion=")[2].partition("&")[0] for each in asked]


def test_what_changes_is_told(watch: Watch, cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """What is new, what changed, what is gone, and by the label alone; with one LIST and one WATCH."""
    apply(cluster, make_map(namespace, "b"))
    see(watch, {"a": "value", "b": "value"})
    apply(cluster, make_map(namespace, "b", key="other"))
    see(watch, {"a": "value", "b": "other"})
    delete(cluster, namespace, "a")
    see(watch, {"b": "other"})
    unlabelled = make_map(namespace, "b", key="third")
    del unlabelled["metadata"]["labels"]
    apply(cluster, unlabelled)
    see(watch, {})
    assert (proxy.count(LIST), proxy.count(WATCH)) == (1, 1)
    assert "allowWatchBookmarks=true&timeoutSeconds=60" in next(
        each.path for each in proxy.requests if "watch=true" in each.path
    )


def test_what_is_told_is_whole(watch: Watch, cluster: Cluster, namespace: str) -> None:
    """An object is the same, be it listed, told, or asked for."""
    made = apply(cluster, make_map(namespace, "b"))
    see(watch, {"a": "value", "b": "value"})
    (listed,) = cluster.list_objects([MAPS], selector="test=yes", namespaces=[namespace])
    assert isinstance(listed, list)
    assert watch.read() == [listed]
    assert made in listed


def test_where_nothing_happens_nothing_is_said(watch: Watch) -> None:
    """It waits so long, and no longer."""
    begin = time.monotonic()
    assert not watch.wait(0.2)
    assert 0.2 <= time.monotonic() - begin < 5


def test_what_happens_between_list_and_watch_is_told(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """The WATCH begins at the very moment of the LIST."""
    proxy.misbehave(Delay(), match=WATCH)
    with open_watch(cluster, namespace) as watch:
        assert values(watch) == {}
        watching(proxy)
        apply(cluster, make_map(namespace, "a"))
        delete(cluster, namespace, "a")
        apply(cluster, make_map(namespace, "b"))
        proxy.behave()
        see(watch, {"b": "value"})
    assert proxy.count(LIST) == 1


def test_a_watch_that_is_cut_off_goes_on(watch: Watch, cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """From the version that it told last; what happened meanwhile is told, and there is no other LIST."""
    apply(cluster, make_map(namespace, "b"))
    see(watch, {"a": "value", "b": "value"})
    last = apply(cluster, make_map(namespace, "b", key="other"))["metadata"]["resourceVersion"]
    see(watch, {"a": "value", "b": "other"})
    proxy.misbehave(Delay(), match=WATCH)
    break_off(proxy)
    delete(cluster, namespace, "a")
    proxy.behave()
    see(watch, {"b": "other"})
    assert proxy.count(LIST) == 1
    assert find_versions(proxy)[-1] == last


@pytest.mark.parametrize(
    "fault", [Cut(), Reply(status=500), Reply(status=429, headers={"Retry-After": "1"})], ids=str
)
def test_a_watch_that_cannot_begin_is_tried_again(
    watch: Watch, cluster: Cluster, proxy: Proxy, namespace: str, fault: Fault
) -> None:
    """As every GET is."""
    proxy.misbehave(fault, match=WATCH, times=2)
    break_off(proxy)
    apply(cluster, make_map(namespace, "b"))
    see(watch, {"a": "value", "b": "value"})
    assert (proxy.count(LIST), proxy.count(WATCH)) == (1, 4)


@pytest.mark.parametrize(
    "fault",
    [
        Reply(status=410, reason="Expired"),
        Stream(text=make_line("ERROR", EXPIRED)),
        Stream(text=make_line("ERROR", {**EXPIRED, "code": 504, "reason": "Timeout"})),
        Stream(text="this is no event\n"),
        Stream(text='{"type": "ADDED", "object": {"metadata": {"name": "b"}}}\n'),
        Stream(text="[]\n"),
    ],
    ids=["410", "410 told", "504 told", "no JSON", "no version", "no event"],
)
def test_a_watch_that_is_at_its_end_begins_with_a_list(
    watch: Watch, cluster: Cluster, proxy: Proxy, namespace: str, fault: Fault
) -> None:
    """What was deleted meanwhile is gone, though nobody has told it."""
    apply(cluster, make_map(namespace, "b"))
    see(watch, {"a": "value", "b": "value"})
    proxy.misbehave(fault, match=WATCH, times=1)
    break_off(proxy)
    delete(cluster, namespace, "a")
    see(watch, {"b": "value"})
    assert proxy.count(LIST) == 2
    apply(cluster, make_map(namespace, "c"))
    see(watch, {"b": "value", "c": "value"})


def test_half_a_line_is_none(watch: Watch, cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """What was cut off in its midst is told again, whole."""
    (version,) = find_versions(proxy)
    body = {**make_map(namespace, "b"), "metadata": {"name": "b", "resourceVersion": "1"}}
    proxy.misbehave(Stream(text=make_line("ADDED", body)[:-9]), match=WATCH, times=1)
    break_off(proxy)
    watching(proxy, 3)
    apply(cluster, make_map(namespace, "c"))
    see(watch, {"a": "value", "c": "value"})
    assert (proxy.count(LIST), find_versions(proxy)) == (1, [version] * 3)


def test_a_bookmark_moves_the_moment(watch: Watch, cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """The next WATCH begins there; nobody is told that anything changed."""
    late = apply(cluster, {**make_map(namespace, "z"), "metadata": {"name": "z", "namespace": namespace}})
    version = late["metadata"]["resourceVersion"]
    told = make_line("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": version}})
    proxy.misbehave(Stream(text=told), match=WATCH, times=1)
    break_off(proxy)
    watching(proxy, 3)
    assert find_versions(proxy)[-1] == version
    assert not watch.wait(0)
    assert proxy.count(LIST) == 1


def test_a_watch_that_says_nothing_any_more_begins_with_a_list(
    watch: Watch, cluster: Cluster, proxy: Proxy, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody on the way may hold back what is told, for ever."""
    monkeypatch.setattr(door, "SILENCE", 0.5)
    proxy.misbehave(Stream(hangs=True), match=WATCH, times=1)
    break_off(proxy)
    watching(proxy, 2)
    monkeypatch.setattr(door, "SILENCE", 90)
    apply(cluster, make_map(namespace, "b"))
    see(watch, {"a": "value", "b": "value"})
    assert proxy.count(LIST) == 2


def test_a_watch_ends_by_itself_and_goes_on(
    cluster: Cluster, proxy: Proxy, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the span that was asked for, from where it was, without a LIST."""
    monkeypatch.setattr(door, "SPAN", 1)
    with open_watch(cluster, namespace) as watch:
        assert values(watch) == {}
        watching(proxy, 3)
        apply(cluster, make_map(namespace, "b"))
        see(watch, {"b": "value"})
    assert proxy.count(LIST) == 1


def test_watches_that_come_to_nothing_are_no_storm(watch: Watch, proxy: Proxy) -> None:
    """The fifth in a row that ends as soon as it has begun waits 0.2, 0.4 and 0.8 seconds."""
    proxy.misbehave(Stream(), match=WATCH)
    begin = time.monotonic()
    break_off(proxy)
    watching(proxy, 5)
    assert time.monotonic() - begin >= 1.4
    assert not watch.wait(0)


def test_the_api_server_goes_and_comes_back(watch: Watch, cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """Its port is closed for a while: what is there then is told."""
    proxy.go_away()
    assert not watch.wait(1)
    proxy.come_back()
    apply(cluster, make_map(namespace, "b"))
    see(watch, {"a": "value", "b": "value"})


def test_what_may_not_be_listed_is_an_error(proxy: Proxy, namespace: str) -> None:
    """Once, with the right that would be needed; nothing is asked again."""
    with connect(proxy.kubeconfig_for("limited")) as limited, open_watch(limited, namespace) as watch:
        assert watch.wait(30)
        (found,) = watch.read()
        rule = (
            f'it takes a Role in namespace {namespace} with apiGroups: [""], resources: ["configmaps"], verbs: '
        )
        assert str(refused(found)).endswith(rule + '["list"]')
        assert not watch.wait(1)
    assert (proxy.count(LIST), proxy.count(WATCH)) == (1, 0)


def test_what_is_no_list_is_an_error(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """Nobody waits for one that never comes."""
    proxy.misbehave(Reply(status=200), match=LIST)
    with open_watch(cluster, namespace) as watch:
        assert watch.wait(30)
        assert str(refused(watch.read()[0])).endswith("configmaps: answered 200 without a list")


def test_what_may_be_listed_and_not_watched_is_an_error(
    proxy: Proxy, controlplane: ControlPlane, namespace: str
) -> None:
    """That, too, and it names the right that is missing."""
    controlplane.kubectl("create", "role", "lister", "--verb=list", "--resource=configmaps", "-n", namespace)
    controlplane.kubectl("create", "rolebinding", "lister", "--role=lister", "--user=limited", "-n", namespace)
    with connect(proxy.kubeconfig_for("limited")) as limited, open_watch(limited, namespace) as watch:
        wait_until(lambda: watch.wait(30) and not isinstance(watch.read()[0], list), what="it is refused")
        (found,) = watch.read()
        assert str(refused(found)).endswith('resources: ["configmaps"], verbs: ["watch"]')


def test_several_are_known_only_together(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """Nothing is told before all were listed; then each in its place."""
    proxy.misbehave(Delay(), match="^GET .*/pods")
    apply(cluster, make_map(namespace, "a"))
    kinds = [("v1", "Pod"), MAPS]
    with cluster.watch_objects(kinds, selectors=["", "test=yes"], namespaces=[namespace] * 2) as watch:
        watching(proxy)
        assert not watch.wait(0)
        proxy.behave()
        assert watch.wait(30)
        pods, maps = watch.read()
        assert pods == []
        assert isinstance(maps, list)
        assert [each["kind"] for each in maps] == ["ConfigMap"]


def is_over() -> bool:
    return "jsorc-watch" not in {each.name for each in list_threads()}


@pytest.mark.parametrize("pausing", [False, True])
def test_it_ends_at_once(cluster: Cluster, proxy: Proxy, namespace: str, *, pausing: bool) -> None:
    """While it listens, and while it waits to begin anew; nothing more is asked."""
    watch = open_watch(cluster, namespace)
    wait_until(lambda: is_answered(proxy), what="the watch has begun")
    if pausing:
        proxy.misbehave(Stream(), match=WATCH)
        break_off(proxy)
        watching(proxy, 6)
    asked, begin = proxy.count(), time.monotonic()
    watch.close()
    wait_until(is_over, what="the thread's end")
    assert time.monotonic() - begin < 1
    assert proxy.count() == asked


def test_it_ends_while_it_asks(cluster: Cluster, proxy: Proxy, namespace: str) -> None:
    """Nobody waits for an answer that is under way; when it comes it is not heard."""
    proxy.misbehave(Delay(), match=WATCH)
    watch = open_watch(cluster, namespace)
    watching(proxy)
    begin = time.monotonic()
    watch.close()
    assert time.monotonic() - begin < 1
    proxy.behave()
    wait_until(is_over, what="the thread's end")
    assert proxy.count(WATCH) == 1


def test_refused_credentials_are_read_again(
    controlplane: ControlPlane, proxy: Proxy, namespace: str, tmp_path: Path
) -> None:
    """A token that ran out meanwhile costs nothing but another request."""
    path = tmp_path / "kubeconfig"
    good = proxy.kubeconfig_for().read_text()
    path.write_text(good)
    with connect(path) as cluster, open_watch(cluster, namespace) as watch:
        assert values(watch) == {}
        wait_until(lambda: is_answered(proxy), what="the watch has begun")
        path.write_text(good.replace(controlplane.token, controlplane.tokens["limited"]))
        # What the API server refuses is the token that was; the new one has no rights, and that is told.
        proxy.misbehave(Reply(status=401, reason="Unauthorized"), match=WATCH, times=1)
        break_off(proxy)
        assert watch.wait(30)
        assert "limited" in str(refused(watch.read()[0]))

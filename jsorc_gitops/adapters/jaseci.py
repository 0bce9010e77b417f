"""The door to the HTTP interface of Jaseci, from 1.3.6 to 1.4.2.6: asks for states, resets services.

A reset that Jaseci calls a success proves nothing (it says so for services that failed again), so the caller
reads the state back. Which endpoints a version has is found by asking.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

from jsorc_gitops.adapters.jaseci_answers import (
    explain_stranger,
    is_stored,
    is_stranger,
    parse_config,
    parse_info,
)
from jsorc_gitops.adapters.jaseci_session import Session
from jsorc_gitops.adapters.jaseci_wire import SECONDS, JaseciError, Place, Reply, Wire
from jsorc_gitops.model.jaseci import Answer, Credentials, ServiceState, Target

# Jaseci's server (Django's) lets 10 connections wait to be accepted; what is lost of more comes a second later.
IN_FLIGHT = 8

_OK, _NOT_FOUND = 200, 404
_EXPLANATIONS = {
    404: "this Jaseci has no such endpoint (404)",
    500: "Jaseci failed inside (500)",
}

T = TypeVar("T")


class _Server:
    """What is known of one process: the endpoints it has, and has not."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.known: set[str] = set()
        self.missing: set[str] = set()
        self.meeting = Lock()  # the first call to an endpoint goes alone, so that only one finds it missing


class Jaseci:
    """The processes of one Jaseci, for one pass. `requests` counts what was sent.

    Each call has `seconds` in all; where one ran out of it, that process is not called again. `url` may be ""
    where only pods are called, at `port`.
    """

    def __init__(self, url: str, credentials: Credentials, *, port: int = 0, seconds: float = SECONDS) -> None:
        self._url = url
        self._port = port
        self._wire = Wire(seconds=seconds, sent=self._count)
        self._session = Session(self._wire, credentials)
        self._servers: dict[str, _Server] = {}
        self._lock = Lock()
        self.requests = 0
        self.leftover = ""  # once closed: why a login of this pass could not be undone

    def close(self) -> None:
        """Undo the login of this pass, if there was one."""
        self.leftover = self._session.end()

    def get_states(self, targets: Sequence[Target]) -> list[Answer]:
        """The state of each, side by side; unknown, with the cause, where Jaseci does not tell."""
        return self._each(self._get_state, targets)

    def reset_services(self, targets: Sequence[Target]) -> list[str]:
        """Ask Jaseci to start each anew, side by side; "" where it says it did, else why not.

        Before 1.3.6.3 it says nothing at all, so that only the state tells.
        """
        return self._each(self._reset_service, targets)

    def get_configs(self, targets: Sequence[Target]) -> list[Mapping[str, Any] | str]:
        """What Jaseci has stored as the config of each service, or why it is not known. It may hold secrets."""
        return self._each(self._get_config, targets)

    def set_config(self, target: Target, config: Mapping[str, Any]) -> str:
        """Replace the stored config of a service, which counts from its next reset on; "" or why not."""
        name = _name_config(target)
        body = {"name": name, "value": dict(config), "do_check": False}
        try:
            answer = self._call(target, "config_set", body)
        except JaseciError as error:
            return str(error)
        return "" if is_stored(name, answer) else f"Jaseci did not store {name}"

    def _get_config(self, target: Target) -> Mapping[str, Any] | str:
        name = _name_config(target)
        try:
            return parse_config(name, self._call(target, "config_get", {"name": name, "do_check": False}))
        except JaseciError as error:
            return str(error)

    def _get_state(self, target: Target) -> Answer:
        try:
            answer = self._call_any(
                target,
                {"service_info": {"name": target.name}, "service_call": _ask(target.name, "is_running")},
            )
            if isinstance(answer, dict) and isinstance(answer.get("state"), str):
                return parse_info(answer, self._session.secrets)
            if is_stranger(answer):
                return Answer(state=ServiceState.UNKNOWN, detail=explain_stranger(target.name))
            # The only way before 1.4.0.20; and service_info of prome is broken in 1.4.2.6 while it is off.
            return self._ask_attributes(target, answer)
        except JaseciError as error:
            return Answer(state=ServiceState.UNKNOWN, detail=str(error))

    def _ask_attributes(self, target: Target, is_running: Any) -> Answer:
        def ask(attribute: str, *arguments: str) -> Any:
            return self._call(target, "service_call", _ask(target.name, attribute, *arguments))

        if not isinstance(is_running, bool):
            is_running = ask("is_running")
        if not isinstance(is_running, bool):
            return Answer(state=ServiceState.UNKNOWN, detail="Jaseci does not tell its state")
        state = ServiceState.RUNNING
        if not is_running:
            # Versions before 1.4.0.10 call whatever attribute they are asked for, so it is asked for by a call.
            if ask("__getattribute__", "enabled") is False:
                return Answer(state=ServiceState.DISABLED)
            state = ServiceState.FAILED if ask("has_failed") is True else ServiceState.STOPPED
        return Answer(state=state, automated=self._ask_automated(target, ask))

    def _ask_automated(self, target: Target, ask: Callable[..., Any]) -> bool:
        # Services have it since 1.4.0.10; where one has not, no other is asked.
        missing = self._get_server(target).missing
        automated = "automated" not in missing and ask("__getattribute__", "automated")
        if not isinstance(automated, bool):
            missing.add("automated")
        return automated is True

    def _reset_service(self, target: Target) -> str:
        bodies = {"service_refresh": {"name": target.name}, "config_refresh": {"name": _name_config(target)}}
        try:
            answer = self._call_any(target, bodies)
            if is_stranger(answer) and "service_refresh" in self._get_server(target).missing:
                # In between the two, never released, it was the name alone.
                answer = self._call(target, "config_refresh", {"name": target.name})
        except JaseciError as error:
            return str(error)
        if answer is None or (isinstance(answer, dict) and answer.get("success") is True):
            return ""
        return explain_stranger(target.name) if is_stranger(answer) else "Jaseci refused the reset"

    def _call_any(self, target: Target, bodies: Mapping[str, Any]) -> Any:
        """The answer of the first of these endpoints that the server has. Raises JaseciError."""
        for endpoint, body in bodies.items():
            try:
                return self._call(target, endpoint, body)
            except JaseciError as error:
                if error.status != _NOT_FOUND:
                    raise
        tried = " nor ".join(bodies)
        raise JaseciError(f"this Jaseci has neither {tried} (404); jsorc works with 1.3.6 and newer")

    def _call(self, target: Target, endpoint: str, body: object) -> Any:
        """The parsed answer of an endpoint, None for an empty one. Raises JaseciError."""
        server = self._get_server(target)
        if endpoint not in server.known:
            with server.meeting:
                if endpoint in server.missing:
                    raise JaseciError(_EXPLANATIONS[_NOT_FOUND], status=_NOT_FOUND)
                if endpoint not in server.known:
                    return self._send(server, endpoint, body)
        return self._send(server, endpoint, body)

    def _send(self, server: _Server, endpoint: str, body: object) -> Any:
        if not server.place.url:
            raise JaseciError("jaseci.url is not set")
        reply = self._session.post(server.place, f"/js_admin/{endpoint}", body)
        (server.missing if reply.status == _NOT_FOUND else server.known).add(endpoint)
        return _parse(reply)

    def _get_server(self, target: Target) -> _Server:
        with self._lock:
            if target.address not in self._servers:
                self._servers[target.address] = _Server(self._find_place(target.address))
            return self._servers[target.address]

    def _find_place(self, address: str) -> Place:
        if not address:
            return Place(url=self._url)
        host = f"[{address}]" if ":" in address else address
        return Place(url=f"http://{host}:{self._port}", pod=address)

    def _each(self, call: Callable[[Target], T], targets: Sequence[Target]) -> list[T]:
        # One target of each process first: where one hangs, the others do not wait behind it.
        seen: Counter[str] = Counter()
        rounds = []
        for target in targets:
            rounds.append(seen[target.address])
            seen[target.address] += 1
        order = sorted(range(len(targets)), key=rounds.__getitem__)
        pool = ThreadPoolExecutor(min(IN_FLIGHT, max(1, len(targets))), thread_name_prefix="jsorc-jaseci")
        try:
            answers = dict(zip(order, pool.map(call, [targets[each] for each in order]), strict=True))
        except BaseException:
            with self._wire.abort():  # ^C does not wait for what hangs
                pool.shutdown(cancel_futures=True)
            raise
        pool.shutdown()
        return [answers[each] for each in range(len(targets))]

    def _count(self) -> None:
        with self._lock:
            self.requests += 1


class BrokenJaseci:
    """Stands where no server can be asked, for the reason given: every state is unknown."""

    requests = 0
    leftover = ""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def get_states(self, targets: Sequence[Target]) -> list[Answer]:
        return [Answer(state=ServiceState.UNKNOWN, detail=self._reason) for _ in targets]

    def reset_services(self, targets: Sequence[Target]) -> list[str]:
        return [self._reason for _ in targets]

    def get_configs(self, targets: Sequence[Target]) -> list[Mapping[str, Any] | str]:
        return [self._reason for _ in targets]

    def set_config(self, target: Target, config: Mapping[str, Any]) -> str:  # noqa: ARG002 - the same
        return self._reason


def _parse(reply: Reply) -> Any:
    if reply.status != _OK:
        explanation = _EXPLANATIONS.get(reply.status, f"Jaseci answered {reply.status}")
        if "Location" in reply.headers:
            explanation += ", a redirect, which is not followed"
        raise JaseciError(explanation, status=reply.status)
    try:
        return json.loads(reply.body) if reply.body else None
    except (ValueError, RecursionError):
        pass  # raised out here, for it quotes what was received
    raise JaseciError("Jaseci answered something that is not JSON")


def _ask(name: str, attribute: str, *arguments: str) -> dict[str, Any]:
    return {"svc": name, "attrs": [{"attr": attribute, "callable": True, "args": list(arguments)}]}


def _name_config(target: Target) -> str:
    return f"{target.name.upper()}_CONFIG"

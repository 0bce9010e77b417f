"""The door to the HTTP interface of Jaseci 1.4.0.20 and newer: asks for states, resets services.

A reset that Jaseci calls a success proves nothing (it says so for services that failed again), so the caller
reads the state back. Bodies of error pages are never read: they hold the server's environment.
"""

import json
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import urllib3

from jsorc_gitops.model.jaseci import Answer, Credentials, ServiceState, Target

SECONDS = 15.0  # for a whole call; Jaseci itself needs 6 s to say that task is down
_LIMIT = 1 << 20  # bytes of an answer; service_info is a few hundred
_OK = 200

_STATES = {
    "RUNNING": ServiceState.RUNNING,
    "FAILED": ServiceState.FAILED,
    "STARTED": ServiceState.STOPPED,
    "RESTART": ServiceState.STOPPED,
    "NOT_STARTED": ServiceState.STOPPED,
}
_STRANGER = "Jaseci knows no such service; if it is none of Jaseci's, its service.yaml says reset: {via: none}"
_EXPLANATIONS = {
    401: "Jaseci does not accept the credentials (401)",
    403: "the credentials are not an administrator's (403)",
    404: "this Jaseci has no such endpoint (404)",
    500: "Jaseci failed inside (500)",
}


class JaseciError(Exception):
    """One call did not succeed; the message holds nothing that was sent or received."""


class Jaseci:
    """A connection to one Jaseci server. `requests` counts the calls made."""

    def __init__(self, url: str, credentials: Credentials, *, seconds: float = SECONDS) -> None:
        self._url = url
        self._credentials = credentials
        self._seconds = seconds
        self._token = credentials.token
        self._http = urllib3.PoolManager(retries=False)
        self.requests = 0

    def close(self) -> None:
        """Close the connections. Jaseci has no logout for one token, so a login's token stays valid."""
        self._http.clear()

    def get_states(self, targets: Sequence[Target]) -> list[Answer]:
        return [self.get_state(each.name) for each in targets]

    def reset_services(self, targets: Sequence[Target]) -> list[str]:
        return [self.reset_service(each.name) for each in targets]

    def get_configs(self, targets: Sequence[Target]) -> list[Mapping[str, Any] | str]:
        raise NotImplementedError

    def set_config(self, target: Target, config: Mapping[str, Any]) -> str:
        raise NotImplementedError

    def get_state(self, name: str) -> Answer:
        """The state of one service; unknown, with the cause, where Jaseci does not tell."""
        try:
            answer = self._admin("service_info", {"name": name})
            if isinstance(answer, dict) and isinstance(answer.get("state"), str):
                return _parse_info(answer)
            # service_info of prome is broken in 1.4: it answers success:false when the service is off.
            return self._ask_attributes(name)
        except JaseciError as error:
            return Answer(state=ServiceState.UNKNOWN, detail=str(error))

    def reset_service(self, name: str) -> str:
        """Ask Jaseci to start a service anew; "" when it says it did, else why not."""
        try:
            answer = self._admin("service_refresh", {"name": name})
        except JaseciError as error:
            return str(error)
        if isinstance(answer, dict) and answer.get("success") is True:
            return ""
        return "Jaseci refused the reset; it may not know a service of this name"

    def _ask_attributes(self, name: str) -> Answer:
        def ask(*attributes: str) -> Any:
            chain = [{"attr": attribute} for attribute in attributes]
            return self._admin("service_call", {"svc": name, "attrs": chain})

        enabled, state = ask("enabled"), ask("state", "name")
        if not isinstance(enabled, bool) or not isinstance(state, str):
            return Answer(state=ServiceState.UNKNOWN, detail=_STRANGER)
        return _parse_info({"enabled": enabled, "state": state})

    def _admin(self, endpoint: str, body: dict[str, Any]) -> Any:
        if not self._token:
            self._log_in()
        return self._call(f"/js_admin/{endpoint}", body)

    def _log_in(self) -> None:
        login = {"email": self._credentials.email, "password": self._credentials.password}
        try:
            answer = self._call("/user/token/", login)
        except JaseciError as error:
            raise JaseciError(f"login: {error}") from None
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise JaseciError("login: Jaseci answered without a token")
        self._token = token

    def _call(self, path: str, body: dict[str, Any]) -> Any:
        self.requests += 1
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"token {self._token}"
        deadline = monotonic() + self._seconds
        try:
            response = self._http.request(
                "POST",
                self._url + path,
                body=json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(total=self._seconds),
                redirect=False,
                preload_content=False,
            )
            try:
                if response.status != _OK:
                    explanation = _EXPLANATIONS.get(response.status, f"Jaseci answered {response.status}")
                    raise JaseciError(explanation)
                return json.loads(self._read(response, deadline))
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise JaseciError(self._explain(error)) from error
        except ValueError as error:
            raise JaseciError("Jaseci answered something that is not JSON") from error

    def _explain(self, error: Exception) -> str:
        # urllib3 counts a refused connection among the time-outs, too.
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)
        if isinstance(error, urllib3.exceptions.TimeoutError) and not refused:
            return f"Jaseci did not answer within {self._seconds:g} s"
        return f"Jaseci at {urlsplit(self._url).netloc} does not answer ({type(error).__name__})"

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        # The timeout above counts anew for every read; a server that drips would hold us for ever.
        data = b""
        while chunk := response.read1(65536):
            data += chunk
            if monotonic() > deadline:
                raise JaseciError(f"Jaseci did not answer within {self._seconds:g} s")
            if len(data) > _LIMIT:
                raise JaseciError("Jaseci answered more than a megabyte")
        return data


class BrokenJaseci:
    """Stands where no server can be asked, for the reason given: every state is unknown."""

    requests = 0

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def get_states(self, targets: Sequence[Target]) -> list[Answer]:
        return [Answer(state=ServiceState.UNKNOWN, detail=self._reason) for _ in targets]

    def reset_services(self, targets: Sequence[Target]) -> list[str]:
        return [self._reason for _ in targets]

    def get_configs(self, targets: Sequence[Target]) -> list[Mapping[str, Any] | str]:
        return [self._reason for _ in targets]

    def set_config(self, target: Target, config: Mapping[str, Any]) -> str:  # noqa: ARG002
        return self._reason


def _parse_info(info: dict[str, Any]) -> Answer:
    if info.get("enabled") is False:
        return Answer(state=ServiceState.DISABLED)
    state = _STATES.get(info["state"])
    if state is None:
        return Answer(state=ServiceState.UNKNOWN, detail=f"Jaseci calls its state {info['state'][:40]!r}")
    error = info.get("error")
    return Answer(state=state, detail=error[:300] if isinstance(error, str) else "")

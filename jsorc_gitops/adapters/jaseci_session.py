"""Who we are to Jaseci: a token that was given, or a login of this pass that is undone at its end."""

import binascii
import hashlib
import json
import secrets
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from threading import Lock
from urllib.parse import urlsplit

from jsorc_gitops.adapters.jaseci_wire import JaseciError, Place, Reply, Wire
from jsorc_gitops.model.jaseci import Credentials

# Without Connection: close. A server that closes before it has read all of a request, as Django does with one
# that fails early, resets the connection, and its answer may be lost.
_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_OK, _FOUND, _BAD, _SERVER_ERROR = 200, 302, 400, 500


class Session:
    """Makes requests as the user of the credentials; once they are refused, makes none any more.

    Jaseci's tokens and logins lie in its database, so one login counts at every process of it.
    """

    def __init__(self, wire: Wire, credentials: Credentials) -> None:
        self._wire = wire
        self._credentials = credentials
        self._token = credentials.token
        self._cookie = ""
        self._places: dict[str, Place] = {}
        self._refused = ""
        self._logging_in = Lock()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be seen nowhere."""
        found = (self._token, self._credentials.token, self._credentials.password, self._cookie)
        return tuple(each for each in found if each)

    def post(self, place: Place, path: str, body: object) -> Reply:
        """The reply to a POST by the user. Raises JaseciError; 401 and 403 hold for all later calls."""
        self._places[place.url] = place
        token = self._token or self._log_in(place)
        if self._refused:
            raise JaseciError(self._refused)
        headers = _JSON | {"Authorization": f"token {token}"}
        reply = self._wire.post(place, path, json.dumps(body).encode(), headers)
        if reason := _REFUSALS.get(reply.status):
            self._refused = reason
            raise JaseciError(reason, status=reply.status)
        return reply

    def end(self) -> str:
        """Undo the login, if there was one; "" or why it stays.

        Jaseci has no endpoint that ends one token, only one that logs everybody out. Its token view also begins
        a session of Django, in which this deletes the token as a person would in Django's admin pages, and ends
        the session.
        """
        if self._credentials.token or not self._token:
            return ""
        reason = "Jaseci gave no session"
        for place in self._places.values() if self._cookie else ():
            try:
                reason = self._log_out(place)
            except JaseciError as error:
                reason = str(error)
            except ValueError:
                reason = "its token is no hexadecimal number"
            if not reason:
                self._token = ""
                return ""
        return (
            f"the login of this pass stays valid in Jaseci: {reason}; credentials with a token leave none behind"
        )

    def _log_in(self, place: Place) -> str:
        with self._logging_in:
            if self._token or self._refused:
                return self._token
            login = {"email": self._credentials.email, "password": self._credentials.password}
            try:
                reply = self._wire.post(place, "/user/token/", json.dumps(login).encode(), _JSON)
            except JaseciError as error:
                failure = f"login: {error}"
            else:
                self._token = _parse_token(reply)
                self._cookie = _parse_session(reply)
                if self._token:
                    return self._token
                reason = _explain_login(reply)
                failure = f"login: {reason}"
                if reply.status < _SERVER_ERROR:
                    self._refused = failure
                else:
                    self._wire.avoid(place, reason)
        raise JaseciError(failure)

    def _log_out(self, place: Place) -> str:
        """Why the token could not be deleted, "" where it was."""
        digest = hashlib.sha512(binascii.unhexlify(self._token)).hexdigest()  # as django-rest-knox stores it
        csrf = secrets.token_hex(32)  # Django compares the cookie with the header, and takes any of this form
        parts = urlsplit(place.url)
        headers = _FORM | {
            "Cookie": f"sessionid={self._cookie}; csrftoken={csrf}",
            "X-CSRFToken": csrf,
            "Referer": f"{parts.scheme}://{parts.netloc}/",  # Django asks for it over https
        }
        deleted = self._wire.post(place, f"/admin/knox/authtoken/{digest}/delete/", b"post=yes", headers)
        if deleted.status != _FOUND or "/login/" in deleted.headers.get("Location", ""):
            return f"its admin pages did not delete it ({deleted.status})"
        self._wire.post(place, "/admin/logout/", b"", headers)
        return ""


_REFUSALS = {
    401: "Jaseci does not accept the credentials (401)",
    403: "the credentials are not an administrator's (403)",
}


def _parse_token(reply: Reply) -> str:
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        return ""
    token = answer.get("token") if isinstance(answer, dict) else None
    return token if isinstance(token, str) and token.isascii() and token.isalnum() else ""


def _parse_session(reply: Reply) -> str:
    cookies: SimpleCookie = SimpleCookie()
    for header in reply.headers.get_all("Set-Cookie", []):
        with suppress(CookieError):
            cookies.load(header)
    return cookies["sessionid"].value if "sessionid" in cookies else ""


def _explain_login(reply: Reply) -> str:
    if reply.status == _OK:
        return "Jaseci answered without a token"
    if reply.status == _BAD:
        return "Jaseci does not accept the email and password (400)"
    return f"Jaseci answered {reply.status}"

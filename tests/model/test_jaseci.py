"""Credentials are bound to an origin, and never shown."""

from dataclasses import replace

import pytest

from jsorc_gitops.errors import SettingsError
from jsorc_gitops.model.jaseci import Credentials, parse_credentials
from jsorc_gitops.model.settings import CredentialsReference, JaseciSettings

URL = "http://jaseci.default.svc"
FORM = "it holds {origin: URL, token: TOKEN} or {origin: URL, email: …, password: …}"


def parse(text: str, url: str = URL) -> Credentials:
    return parse_credentials(text, source="$JASECI", url=url)


def test_a_token() -> None:
    """A token is read, without the newline that a Secret or an editor adds to it."""
    credentials = parse('{origin: "http://jaseci.default.svc:80/", token: "open-sesame\\n"}')

    assert (credentials.origin, credentials.token) == ("http://jaseci.default.svc:80", "open-sesame")


def test_an_email_and_a_password() -> None:
    """An account may stand in the place of a token."""
    credentials = parse("origin: http://jaseci.default.svc\nemail: me@example.com\npassword: open-sesame\n")

    assert (credentials.email, credentials.password) == ("me@example.com", "open-sesame")


def test_credentials_are_never_shown() -> None:
    """Printing credentials, by accident or in a traceback, shows their origin alone."""
    assert repr(parse("{origin: http://jaseci.default.svc, token: open-sesame}")) == (
        "Credentials(origin='http://jaseci.default.svc:80')"
    )


@pytest.mark.parametrize("url", ["http://evil", "https://jaseci.default.svc", "http://jaseci.default.svc:8080"])
def test_another_origin_gets_nothing(url: str) -> None:
    """Who changes jaseci.url in git does not get what was meant for another server."""
    with pytest.raises(SettingsError) as caught:
        parse("{origin: http://jaseci.default.svc, token: open-sesame}", url)

    assert str(caught.value) == (
        "$JASECI: the credentials are for http://jaseci.default.svc:80, another origin than "
        f"{url}, so they are not sent there"
    )


def test_credentials_for_pods_name_them_all() -> None:
    """Namespace, selector and port: who changes one of them in git does not get what was meant for others."""
    reference = CredentialsReference(kind="env", name="X")
    settings = JaseciSettings(selector="app=jaseci,tier!=web", port=80, credentials=reference)
    text = "{origin: 'pods://home/app=jaseci,tier!=web:80', token: open-sesame}"
    assert parse(text, settings.locate("home")).token == "open-sesame"  # noqa: S105
    others = [
        settings.locate("elsewhere"),
        replace(settings, namespace="elsewhere").locate("home"),
        replace(settings, selector="app=jaseci").locate("home"),
        replace(settings, port=81).locate("home"),
        "http://home",
    ]
    for other in others:
        with pytest.raises(SettingsError, match=f"another origin than {other}, so"):
            parse(text, other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("open-sesame", "not a mapping"),
        ("", "not a mapping"),
        ("a: 1\n---\nb: 1", "not a mapping"),
        ("{origin: http://j, token: open-sesame", "not valid YAML"),
        ("{origin: http://j, token: 5}", "all values must be texts"),
        ("{token: open-sesame}", "the keys are wrong"),
        ("{origin: http://j, tokn: open-sesame}", "the keys are wrong"),
        ("{origin: http://j, token: open-sesame, email: me}", "the keys are wrong"),
    ],
)
def test_wrong_credentials_are_refused_without_showing_them(text: str, message: str) -> None:
    """The message says what is wrong and how it should look, and nothing of what is there."""
    with pytest.raises(SettingsError) as caught:
        parse(text)

    assert str(caught.value) == f"$JASECI: {message}; {FORM}"


def test_what_yaml_stumbled_over_is_not_chained() -> None:
    """A traceback of ours does not print the YAML error, which quotes the text."""
    with pytest.raises(SettingsError) as caught:
        parse("{token: open-sesame")

    assert caught.value.__suppress_context__


def test_a_token_cut_short_is_refused() -> None:
    """A token with a character that cannot stand in a header was copied badly; it is not shown."""
    with pytest.raises(SettingsError) as caught:
        parse("{origin: http://jaseci.default.svc, token: open-sesa…}")

    assert str(caught.value) == "$JASECI: the token holds a character that no token has; copy it again"

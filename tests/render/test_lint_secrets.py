"""Secrets: what may lie in git, and what may not."""

import pytest

from jsorc_gitops.errors import DefinitionError
from tests.render.builders import make_service, render_services
from tests.render.linting import Body, make_good, tell

ADVICE = "use a SealedSecret or an ExternalSecret, or say plainSecrets: allow in service.yaml"
SOPS = {"mac": "ENC[AES256_GCM,data:x]", "version": "3.9"}


def make_secret(**fields: Body) -> Body:
    return make_good("Secret/empty") | fields


@pytest.mark.parametrize(
    "fields", [{}, {"data": {}}, {"stringData": {}}, {"data": {"password": ""}}, {"data": {"password": None}}]
)
def test_a_secret_without_values_passes(fields: Body) -> None:
    """Others may fill it in."""
    assert tell(make_secret(**fields)) == []


@pytest.mark.parametrize("field", ["data", "stringData"])
def test_a_secret_with_values_is_refused(field: str) -> None:
    """Git never forgets, so each of its keys is named, and no value."""
    secret = make_secret(**{field: {"user": "YQ==", "password": "Yg==", "empty": ""}})

    assert tell(secret) == [f"plain-secret: {field}: password, user would lie in git as it is; {ADVICE}"]


def test_a_service_may_allow_it() -> None:
    """plainSecrets: allow is consent that a reviewer sees."""
    assert tell(make_secret(data={"password": "Yg=="}), plain=["redis"]) == []
    assert tell(make_secret(data={"password": "Yg=="}), plain=["mail"]) != []


@pytest.mark.parametrize(
    ("version", "kind"), [("bitnami.com/v1alpha1", "SealedSecret"), ("external-secrets.io/v1", "ExternalSecret")]
)
def test_other_kinds_of_secrets_pass(version: str, kind: str) -> None:
    """They hold references, or what only the cluster can read."""
    assert tell(make_secret(apiVersion=version, kind=kind, data={"password": "AgB3"})) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["data", "stringData"])
def test_a_secret_of_sops_passes_under_flux(field: str) -> None:
    """Flux decrypts it; nothing else does, whatever a service allows."""
    secret = make_secret(sops=SOPS, **{field: {"password": "ENC[AES256_GCM,data:x]"}})

    assert tell(secret, flux=True) == []
    message = "only Flux decrypts this; where it does not apply, use a SealedSecret or an ExternalSecret"
    for plain in ([], ["redis"]):
        assert tell(secret, plain=plain) == [f"plain-secret: sops: {message}"]


def test_a_secret_of_sops_is_encrypted_whole() -> None:
    """A value that was added later, in plain, is told."""
    secret = make_secret(sops=SOPS, data={"password": "ENC[AES256_GCM,data:x]", "user": "YQ=="})

    assert tell(secret, flux=True) == ["plain-secret: data: user would lie in git as it is; encrypt all of it"]


def test_the_rest_of_a_secret_of_sops_is_checked() -> None:
    """Encryption leaves the other fields as they are."""
    secret = make_secret(sops=SOPS, imutable={})

    assert tell(secret, flux=True) == ["unknown-field: imutable: unknown field; did you mean immutable?"]


def test_sops_without_encryption_is_a_field_like_any_other() -> None:
    """Only a secret that SOPS signed is taken for one of its own."""
    assert tell(make_secret(sops={}), flux=True) == ["unknown-field: sops: unknown field"]


def build(config: str, *, allow: bool = False) -> None:
    text = f"config: {config}\n" + ("plainSecrets: allow\n" if allow else "")
    render_services(make_service({"service.yaml": text}, name="mail"))


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ("{pass: open-sesame}", "config.pass"),
        ("{smtp: {Password: open-sesame}}", "config.smtp.Password"),
        ("{accounts: [{apiKey: open-sesame}]}", "config.accounts[0].apiKey"),
        ("{aws_secret_access_key: open-sesame}", "config.aws_secret_access_key"),
        ("{tokens: [a], token: open-sesame}", "config.token"),
        ("{keys: {key: [open-sesame]}}", "config.keys.key[0]"),
        ("{broker_url: 'redis://:open-sesame@redis:6379/1'}", "config.broker_url"),
    ],
)
def test_a_config_with_a_secret_is_refused(config: str, path: str) -> None:
    """It would lie in git and in a ConfigMap; the value is not shown. Who means it may allow it."""
    with pytest.raises(DefinitionError) as caught:
        build(config)
    assert str(caught.value).startswith(f"templates/mail: {path} would lie in git as it is; refer to a Secret")
    assert "open-sesame" not in str(caught.value)
    build(config, allow=True)


@pytest.mark.parametrize(
    "reference",
    ["secretKeyRef: {name: a, kye: b}", "secretKeyRef: {name: a}", "configMapKeyRef: {name: a, key: b}"],
)
def test_a_reference_that_is_none_is_refused(reference: str) -> None:
    """It would be stored in Jaseci as a mapping."""
    with pytest.raises(DefinitionError, match=r"config\.pass: a reference is valueFrom: \{secretKeyRef: "):
        build(f"{{pass: {{valueFrom: {{{reference}}}}}}}")


@pytest.mark.parametrize(
    "config",
    [
        "{pass: ''}",
        "{pass: null, password: 5}",
        "{pass: {valueFrom: {secretKeyRef: {name: mail, key: pass}}}}",
        "{monkey: x, keyboard: x, passive: x, tokenizer: x}",
        "{broker_url: 'redis://redis:6379/1', mail: 'a:b@example.com'}",
    ],
)
def test_a_config_without_a_secret_passes(config: str) -> None:
    """A reference is what is asked for."""
    build(config)

"""Who is let in: the list of refusals that good receivers share, and the published vector."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from qa_agents.service.signatures import MAX_SIGNATURES, Secret, check_bearer, check_signature, secrets_of
from qa_agents.settings import HookSecret

NOW = 1_000_000.0
SECRET = Secret(b"It's a Secret to Everybody", None)
BODY = b"Hello World!"
VECTOR = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"


def sign(body: bytes, secret: bytes = SECRET.value) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("header", "verdict"),
    [
        (VECTOR, "ok"),
        (VECTOR.upper().replace("SHA256", "SHA256"), "ok"),
        (f"sha256={'0' * 64}, {VECTOR}", "ok"),
        (f" {VECTOR} ", "ok"),
        (None, "missing"),
        ("", "missing"),
        (VECTOR.removeprefix("sha256="), "malformed"),
        (VECTOR.replace("sha256", "sha1"), "malformed"),
        (VECTOR.replace("sha256", "md5"), "malformed"),
        (VECTOR[:-1], "malformed"),
        (VECTOR + "0", "malformed"),
        ("sha256=", "malformed"),
        ("sha256", "malformed"),
        ("sha256=" + "é" * 64, "malformed"),
        ("sha256=" + "z" * 64, "wrong"),
        ("sha256=" + "0" * 64, "wrong"),
    ],
)
def test_a_signature_is_judged_by_its_form_and_its_digest(header: str | None, verdict: str) -> None:
    assert check_signature(header, BODY, [SECRET], lambda: NOW) == verdict


def test_one_changed_byte_of_the_body_is_refused() -> None:
    assert check_signature(sign(b"a"), b"b", [SECRET], lambda: NOW) == "wrong"


def test_more_signatures_than_a_rotation_needs_are_not_looked_at() -> None:
    many = ",".join(["sha256=" + "0" * 64] * MAX_SIGNATURES + [sign(BODY)])
    assert check_signature(many, BODY, [SECRET], lambda: NOW) == "wrong"


def test_while_secrets_are_exchanged_both_count_and_the_old_one_ends() -> None:
    old, new = Secret(b"old secret", NOW + 10), Secret(b"new secret", None)
    for secret in (old, new):
        assert check_signature(sign(BODY, secret.value), BODY, [old, new], lambda: NOW) == "ok"
    assert check_signature(sign(BODY, old.value), BODY, [old, new], lambda: NOW + 10) == "wrong"
    assert check_signature(sign(BODY, new.value), BODY, [old, new], lambda: NOW + 10) == "ok"


def test_without_any_secret_that_counts_nothing_is_let_in() -> None:
    ended = Secret(SECRET.value, NOW - 1)
    assert check_signature(sign(BODY), BODY, [ended], lambda: NOW) == "wrong"
    assert check_signature(sign(BODY, b""), BODY, [], lambda: NOW) == "wrong"


@pytest.mark.parametrize("literal", ["bm90IHBhZGRlZA", "whsec_bm90IHBhZGRlZA==", "with spaces and ü", "=========="])
def test_a_secret_is_taken_literally_whatever_encoding_it_looks_like(literal: str) -> None:
    secrets = secrets_of([HookSecret(value=SecretStr(literal))])
    assert check_signature(sign(BODY, literal.encode()), BODY, secrets, lambda: NOW) == "ok"


@pytest.mark.parametrize("value", ["", "short"])
def test_an_empty_or_short_secret_is_refused_by_the_settings(value: str) -> None:
    with pytest.raises(ValidationError):
        HookSecret(value=SecretStr(value))


def test_an_end_without_a_zone_is_utc() -> None:
    moment = datetime(2026, 5, 1, 12)
    naive, aware = secrets_of(
        [HookSecret(value=SecretStr("12345678"), until=at) for at in (moment, moment.replace(tzinfo=UTC))]
    )
    assert naive.until == aware.until == moment.replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("header", "verdict"),
    [
        ("Bearer a-long-token", "ok"),
        ("bearer   a-long-token ", "ok"),
        ("Bearer a-long-token2", "wrong"),
        ("Bearer \ud800", "wrong"),
        ("Basic a-long-token", "malformed"),
        ("Bearer ", "malformed"),
        ("", "missing"),
        (None, "missing"),
    ],
)
def test_a_bearer_token_is_compared_whole(header: str | None, verdict: str) -> None:
    assert check_bearer(header, [Secret(b"a-long-token", None)], lambda: NOW) == verdict


@given(header=st.text(max_size=200), body=st.binary(max_size=50))
def test_no_header_that_was_made_up_is_let_in_or_raises(header: str, body: bytes) -> None:
    assert check_signature(header, body, [SECRET], lambda: NOW) != "ok"
    assert check_bearer(header, [SECRET], lambda: NOW) != "ok"

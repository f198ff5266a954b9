"""Secrets in clear are found wherever they are written; what only names one is not."""

import pytest

from forewarn.policies.clear_secrets import clear_secrets


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"password": "s3cr3t"}, "password"),
        ({"user_password": "s3cr3t"}, "user_password"),
        ({"Password": "/s3cr3t"}, "Password"),
        ({"password": 5_3_7}, "password"),
        ({"auth": {"api_key": "s3cr3t"}}, "auth.api_key"),
        ({"auth": [{"token": "s3cr3t.key"}]}, "auth.token"),
        ({"private_key": "-----BEGIN EC PRIVATE KEY-----\ns3cr3t"}, "private_key"),
        ({"notes": "-----BEGIN PRIVATE KEY-----\ns3cr3t"}, "notes"),
        ({"url": "opc.tcp://ops:s3cr3t@plc:4840/a"}, "url"),
        ({"brokers": ["mqtts://ops:s3cr3t@broker"]}, "brokers"),
        ({"host": "ops:s3cr3t@broker"}, "host"),
    ],
)
def test_a_secret_in_clear_is_named_and_not_told(settings: dict[str, object], key: str) -> None:
    (said,) = clear_secrets(settings)
    assert said.startswith(f"{key}: ")
    assert "s3cr3t" not in said
    assert "537" not in said


@pytest.mark.parametrize(
    "settings",
    [
        {"password_env": "BROKER_PASSWORD", "user": "ops"},
        {"password_file": "/run/secrets/broker"},
        {"private_key": "/etc/forewarn/gateway.pem", "certificate": "gateway.der"},
        {"url": "opc.tcp://plc:4840/path@line", "topics": ["a:b@c/+/telemetry"], "host": "::1"},
        {"password": "", "token": None, "secret": True, "keepalive_s": 5, "key_field": "id", "tokens_per_s": 3},
    ],
)
def test_what_names_a_secret_is_none(settings: dict[str, object]) -> None:
    assert clear_secrets(settings) == []

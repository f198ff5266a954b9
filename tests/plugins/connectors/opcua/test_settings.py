"""What the settings refuse, and that README and sample tell of all of them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

import forewarn.plugins.connectors.opcua as package
from forewarn.plugins.connectors.opcua.settings import History, OpcUaSettings, Sampling

FOLDER = Path(package.__file__).parent
URL = {"url": "opc.tcp://10.0.0.5:4840"}
SECURE = {**URL, "security": "Basic256Sha256"}


@pytest.mark.parametrize("file", ["README.md", "sample.toml"])
def test_every_setting_is_told(file):
    text = (FOLDER / file).read_text()
    names = [*OpcUaSettings.model_fields, *Sampling.model_fields, *History.model_fields]
    assert not [name for name in names if name not in text]


@pytest.mark.parametrize("model", [Sampling, History])
def test_the_tables_below_are_documented(model):
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "either url or servers"),
        ({**URL, "servers": ["opc.tcp://b:1"]}, "either url or servers"),
        ({"url": "http://b:1"}, "url"),
        ({"url": "opc.tcp://user:secret@b:1"}, "url"),
        (SECURE, "needs certificate and private_key, or a certificate_folder"),
        ({**SECURE, "certificate_folder": "x"}, "whom to trust"),
        ({**SECURE, "certificate": "a", "server_certificate": "b"}, "belong together"),
        ({**SECURE, "certificate": "a", "private_key": "b", "trust_first_use": True}, "certificate_folder"),
        ({**URL, "password_env": "X"}, "without user"),
        ({**URL, "user": "u", "password_env": "X", "password_file": "x"}, "remove one"),
        ({**URL, "user": "u", "user_certificate": "c", "user_private_key": "k"}, "remove one"),
        ({**URL, "user_certificate": "c"}, "belong together"),
        ({**URL, "sampling": [{"match": "a", "nonsense": 1}]}, "nonsense"),
        ({**URL, "sampling": [{"deadband": 1}]}, "match"),
        ({**URL, "sessions": 0}, "sessions"),
    ],
)
def test_what_cannot_work_is_refused(given, why):
    with pytest.raises(ValidationError, match=why):
        OpcUaSettings.model_validate(given)


def test_one_file_and_one_pattern_need_no_brackets():
    settings = OpcUaSettings.model_validate(
        {
            **SECURE,
            "certificate_folder": "x",
            "server_certificate": "pin.der",
            "sampling": [{"match": "a*"}, {"match": ["b", "c"]}],
        }
    )
    assert settings.server_certificate == (Path("pin.der"),)
    assert [rule.match for rule in settings.sampling] == [("a*",), ("b", "c")]
    assert settings.urls == ("opc.tcp://10.0.0.5:4840",)

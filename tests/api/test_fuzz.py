"""schemathesis over the API's own OpenAPI document: whatever is sent, the server never fails."""

import contextlib
from collections import Counter
from typing import Any

import hypothesis.strategies as st
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi import formats

from forewarn.api.telemetry_arrow import MEDIA_TYPE
from tests.api.site import Site

_ENDLESS = "/api/v1/live"
_EXAMPLES = 15

formats.register_string_format("binary", st.binary(max_size=200))


@schemathesis.serializer(MEDIA_TYPE)
def arrow_bytes(context: schemathesis.SerializationContext, value: Any) -> bytes:
    payload = getattr(value, "data", value)
    return payload if isinstance(payload, bytes) else repr(payload).encode("utf-8", "replace")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_makes_the_server_fail(site: Site, mode: GenerationMode) -> None:
    document = site.client.get("/openapi.json").json()
    document["paths"].pop(_ENDLESS)
    answers: Counter[int] = Counter()
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        _try(site, found.ok(), mode, answers)
    assert sum(answers.values()) > 100
    assert not [status for status in answers if status >= 500]
    assert any(200 <= status < 300 for status in answers)


def _try(site: Site, operation: schemathesis.APIOperation, mode: GenerationMode, answers: Counter[int]) -> None:
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        answer = case.call(base_url=site.url)
        assert answer.status_code < 500, f"{case.method} {case.path} {case.query} {case.body!r}: {answer.text}"
        answers[answer.status_code] += 1

    # Where any text is valid there is nothing to send wrongly.
    with contextlib.suppress(Unsatisfiable):
        send()

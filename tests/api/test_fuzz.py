"""schemathesis over the API's own OpenAPI document: whatever is sent, the server never fails."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi import formats

from forewarn.api.rules import OPEN, RULES
from forewarn.api.telemetry_arrow import MEDIA_TYPE
from forewarn.domain.access import Grant, Role
from forewarn.policies.access import ALLOWED
from tests.api.site import Site
from tests.credentials import Bearer

_ENDLESS = "/api/v1/live"
_EXAMPLES = 15
_EXAMPLES_A_ROLE = 4

formats.register_string_format("binary", st.binary(max_size=200))


@schemathesis.serializer(MEDIA_TYPE)
def arrow_bytes(context: schemathesis.SerializationContext, value: Any) -> bytes:
    payload = getattr(value, "data", value)
    return payload if isinstance(payload, bytes) else repr(payload).encode("utf-8", "replace")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_makes_the_server_fail(site: Site, mode: GenerationMode) -> None:
    answers: Counter[int] = Counter()
    for number, operation in enumerate(_operations(site)):
        # Somebody new each time: some requests end the session they come with.
        _try(site, operation, mode, answers, site.opened.credentials.person(f"fuzz {mode.value} {number}"), _EXAMPLES)
    assert sum(answers.values()) > 100
    assert not [status for status in answers if status >= 500]
    assert any(200 <= status < 300 for status in answers)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_no_role_makes_the_server_fail_or_does_what_it_may_not(site: Site, role: Role) -> None:
    for number, operation in enumerate(_operations(site)):
        name, credentials = f"fuzz {role.value} {number}", site.opened.credentials
        who = credentials.machine(name) if role is Role.GATEWAY else credentials.person(name, Grant(role))
        answers: Counter[int] = Counter()
        _try(site, operation, GenerationMode.POSITIVE, answers, who, _EXAMPLES_A_ROLE)
        rule = RULES[operation.method.upper(), operation.path]
        if rule is not OPEN and rule not in ALLOWED[role]:
            # What the server does not even read as HTTP is refused before it is known who asks.
            assert set(answers) <= {403, 400}, (operation.label, answers)


def _operations(site: Site) -> Iterator[schemathesis.APIOperation]:
    document = site.client.get("/openapi.json").json()
    document["paths"].pop(_ENDLESS)
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        yield found.ok()


def _try(
    site: Site,
    operation: schemathesis.APIOperation,
    mode: GenerationMode,
    answers: Counter[int],
    who: Bearer,
    examples: int,
) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        answer = case.call(base_url=site.url, headers=who.header)
        assert answer.status_code < 500, f"{case.method} {case.path} {case.query} {case.body!r}: {answer.text}"
        answers[answer.status_code] += 1

    # Where any text is valid there is nothing to send wrongly.
    with contextlib.suppress(Unsatisfiable):
        send()

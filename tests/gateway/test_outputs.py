"""Outputs are a help, not a condition: a gateway goes on without them."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import pytest
from pydantic import BaseModel

from forewarn.contracts.output import OutputRequest
from forewarn.contracts.status_board import StatusBoard
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError
from forewarn.gateway.outputs import OutputRunner, PlannedOutput


class Nothing(BaseModel):
    """No settings."""


class WrongOutput:
    name: ClassVar[str] = "wrong"
    settings: ClassVar[type[BaseModel]] = Nothing

    async def run(self, request: OutputRequest, board: StatusBoard) -> None:
        raise ConfigurationError("the certificate cannot be read")


@pytest.mark.parametrize("outputs", [[], [PlannedOutput("page", cast(Any, WrongOutput()), Nothing())]])
async def test_the_runner_goes_on_without_an_output_that_works(outputs: Sequence[PlannedOutput]) -> None:
    runner = OutputRunner("line-1", outputs, cast(Any, None))
    run = asyncio.create_task(runner.run())
    done, _ = await asyncio.wait([run], timeout=0.2)
    assert not done
    assert [held.code for held in runner.conditions()] == [ConditionCode.MISCONFIGURED] * len(outputs)
    run.cancel()
    await asyncio.wait([run])

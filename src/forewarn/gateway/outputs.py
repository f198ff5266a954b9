"""Every output in a task of its own: none waits for, or falls with, another."""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from forewarn.contracts.output import Output, OutputRequest
from forewarn.contracts.status_board import StatusBoard
from forewarn.domain.conditions import ConditionCode, GatewayCondition, with_remedy
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.gateway.conditions import Conditions
from forewarn.kit.clock import now_us
from forewarn.kit.retry import Backoff

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """settings: parsed by the output's own model."""

    name: str
    output: Output
    settings: BaseModel


class OutputRunner:
    """Keeps the outputs going until cancelled."""

    def __init__(
        self, gateway: str, outputs: Sequence[PlannedOutput], board: StatusBoard, backoff: Backoff | None = None
    ) -> None:
        self._gateway = gateway
        self._outputs = outputs
        self._board = board
        self._backoff = backoff or Backoff(first_s=0.5, cap_s=10.0)
        self._conditions = {planned.name: Conditions(planned.name, now_us) for planned in outputs}

    def conditions(self) -> Sequence[GatewayCondition]:
        """Thread-safe."""
        return [held for each in self._conditions.values() for held in each.now()]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for planned in self._outputs:
                tasks.create_task(self._keep(planned), name=f"output {planned.name}")
            # Without an output, or with none that can work, the gateway goes on all the same.
            await asyncio.Event().wait()

    async def _keep(self, planned: PlannedOutput) -> None:
        conditions, attempt = self._conditions[planned.name], 0
        while True:
            started = asyncio.get_running_loop().time()
            code, why = await self._run_once(planned)
            conditions.enter(code, why)
            _log.warning("output %s ended: %s", planned.name, with_remedy(code, why))
            if code is ConditionCode.MISCONFIGURED:
                conditions.enter(code, why, lasting=True)
                return
            stood_s = asyncio.get_running_loop().time() - started
            attempt = 0 if stood_s > self._backoff.cap_s else attempt + 1
            await asyncio.sleep(self._backoff.delay_s(attempt, random.random()))  # noqa: S311 - jitter, not a secret

    async def _run_once(self, planned: PlannedOutput) -> tuple[ConditionCode, str]:
        """Only cancellation passes: no fault of one output may end the others."""
        try:
            await planned.output.run(OutputRequest(planned.name, self._gateway, planned.settings), self._board)
        except SourceUnreachable as error:
            return error.condition, str(error)
        except ConfigurationError as error:
            return ConditionCode.MISCONFIGURED, str(error)
        except Exception as error:
            _log.exception("output %s: %s failed", planned.name, planned.output.name)
            return ConditionCode.FAILED, f"output {planned.output.name} failed: {type(error).__name__}: {error}"
        return ConditionCode.FAILED, "the output ended without an error"

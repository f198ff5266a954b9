"""One look at the live devices: what each signal reads, before anything is stored or sent."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.connector import Connector
from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.status import is_bad, is_good
from forewarn.gateway.supervisor import prepare
from forewarn.kit.clock import SECOND, now_us


class Found(StrEnum):
    """What became of one signal."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"
    OUT_OF_RANGE = "out of range"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class SignalCheck:
    """value: in the signal's unit, NaN where none came. quality: OPC UA StatusCode. age_s: source time against our
    clock when it arrived. remark: what was wrong with it, for people."""

    signal: Signal
    found: Found
    value: float = float("nan")
    quality: int = 0
    age_s: float | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """problem: why the source as a whole does not work, '' where it does. remarks: what it was told besides."""

    source: SourceConfig
    signals: Sequence[SignalCheck]
    connected_after_s: float | None
    problem: str = ""
    condition: ConditionCode | None = None
    remarks: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        return not self.problem and all(s.found in (Found.GOOD, Found.UNCERTAIN) for s in self.signals)


@dataclass(slots=True)
class _Look:
    """A ReadingSink that keeps the newest reading of each signal."""

    keys: frozenset[int]
    began: float
    readings: dict[int, tuple[int, float, int, int]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    connected_after_s: float | None = None
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(
        self,
        signal: NDArray[np.int32],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint32],
    ) -> None:
        now = now_us()
        for row in zip(signal.tolist(), time.tolist(), value.tolist(), quality.tolist(), strict=True):
            self.readings[row[0]] = (row[1], row[2], row[3], now)
        if self.keys <= self.readings.keys():
            self.complete.set()

    def alive(self) -> None: ...

    def connected(self) -> None:
        if self.connected_after_s is None:
            self.connected_after_s = asyncio.get_running_loop().time() - self.began

    def rejected(self, count: int, example: str, condition: ConditionCode = ConditionCode.READINGS_REJECTED) -> None:
        self._remark(example)

    def note(self, condition: ConditionCode, text: str) -> None:
        self._remark(text)

    def newest(self, signal: NDArray[np.int32]) -> NDArray[np.int64]:
        return np.full(len(signal), np.iinfo(np.int64).max, np.int64)  # nothing of the past is asked for

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)


async def check_source(
    config: SourceConfig, signals: Sequence[Signal], connectors: Mapping[str, Connector], seconds: float
) -> SourceCheck:
    """Run the source's connector until every signal was heard, `seconds` at most. signals: with their keys."""
    look = _Look(frozenset(s.key for s in signals), asyncio.get_running_loop().time())
    problem, condition = "", None
    try:
        connector, request = prepare(config, signals, connectors)
        run = asyncio.create_task(connector.run(replace(request, look_only=True), look))
        heard = asyncio.create_task(look.complete.wait())
        try:
            await asyncio.wait((run, heard), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if run.done():
                run.result()
        finally:
            heard.cancel()
            run.cancel()
            await asyncio.wait((run, heard))
    except (SourceUnreachable, ConfigurationError) as error:
        problem, condition = str(error), error.condition
    if not problem and look.connected_after_s is None and not look.readings:
        problem = f"nothing was heard within {seconds:g} s: is it there, and does it answer? Wait longer with --seconds"
        condition = ConditionCode.SILENT
    why_nothing = "" if problem else f"nothing came in {seconds:g} s; where it is sent seldom, wait longer: --seconds"
    checks = [_check(signal, look, why_nothing) for signal in signals]
    return SourceCheck(config, checks, look.connected_after_s, problem, condition, look.remarks)


def _check(signal: Signal, look: _Look, why_nothing: str) -> SignalCheck:
    remark = next((text for text in look.remarks if f"{signal.id!r}" in text), "")
    reading = look.readings.get(signal.key)
    if reading is None:
        return SignalCheck(signal, Found.NOTHING, remark=remark or why_nothing)
    time, value, quality, heard_at = reading
    age_s = (heard_at - time) / SECOND
    codes = np.array([quality], np.uint32)
    if is_bad(codes)[0]:
        return SignalCheck(signal, Found.BAD, value, quality, age_s, remark)
    low, high = signal.range_low, signal.range_high
    if (low is not None and value < low) or (high is not None and value > high):
        remark = f"outside its range {low} to {high} {signal.unit}: is the scaling right?"
        return SignalCheck(signal, Found.OUT_OF_RANGE, value, quality, age_s, remark)
    return SignalCheck(signal, Found.GOOD if is_good(codes)[0] else Found.UNCERTAIN, value, quality, age_s, remark)

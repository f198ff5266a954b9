"""Who is asked next, over one connection: every unit its fair share of time, none held up by a silent one."""

import asyncio
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.kit.clock import now_us
from forewarn.plugins.connectors.modbus.address import Point
from forewarn.plugins.connectors.modbus.blocks import Most
from forewarn.plugins.connectors.modbus.complaints import Complaints
from forewarn.plugins.connectors.modbus.device import Device, device_of, phase
from forewarn.plugins.connectors.modbus.frames import Garbled, Question
from forewarn.plugins.connectors.modbus.job import BAD_CONFIGURATION_ERROR, Job, exception_of
from forewarn.plugins.connectors.modbus.link import Link, Silent
from forewarn.plugins.connectors.modbus.outlet import Columns, Outlet
from forewarn.plugins.connectors.modbus.register_map import load_map
from forewarn.plugins.connectors.modbus.settings import DeviceSettings, ModbusSettings

BAD_COMMUNICATION_ERROR: Final = 0x8005_0000
BAD_TIMEOUT: Final = 0x800A_0000
# A gateway says that it cannot reach the unit: as good as the unit's silence.
_UNIT_AWAY: Final = (10, 11)
_FIRST_WITHIN_S: Final = 1.0
_FLUSH_S: Final = 0.5


class Poller:
    """One run of a source."""

    def __init__(self, request: SourceRequest, settings: ModbusSettings, sink: ReadingSink) -> None:
        """Raises ConfigurationError when the register map is wrong or no signal can be read."""
        self._name = request.name
        self._settings = settings
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._complaints = Complaints(sink, self._loop.time)
        self._wrong: list[Signal] = []
        self._devices = self._plan(request.signals)
        self._link = Link(settings)
        self._outlet = Outlet(sink)
        self._is_connected = False
        self._fair_s = 0.0

    def _plan(self, signals: Sequence[Signal]) -> list[Device]:
        registers = load_map(self._settings)
        rows: dict[tuple[int, str], list[tuple[Signal, Point]]] = {}
        complaint = ConfigurationError("no signal names this source")
        for signal in signals:
            try:
                point = registers.point(signal.address, signal.id)
                rows.setdefault((point.unit, point.poll), []).append((signal, point))
            except ConfigurationError as error:
                complaint = error
                self._wrong.append(signal)
                self._complaints.reject(signal.id, error.condition, str(error))
        if not rows:
            raise complaint
        jobs = [self._job(unit, poll, found) for (unit, poll), found in sorted(rows.items())]
        units = sorted({job.unit for job in jobs})
        of = {unit: [job for job in jobs if job.unit == unit] for unit in units}
        return [device_of(unit, of[unit], self._settings, len(units) > 1) for unit in units]

    def _job(self, unit: int, poll: str, rows: Sequence[tuple[Signal, Point]]) -> Job:
        settings = self._settings
        own = settings.devices.get(unit, DeviceSettings())
        most = Most(own.max_registers or settings.max_registers, own.max_bits or settings.max_bits)
        interval_s = settings.polls[poll] if poll else settings.poll_interval_s
        return Job(unit, poll, interval_s, rows, settings.max_gap, most, self._complaints)

    async def run(self) -> None:
        """Until cancelled, or until the connection is lost."""
        try:
            await self._link.open()
            self._start()
            while True:
                await self._turn()
        except SourceUnreachable:
            await self._link.close()
            for device in self._devices:
                await self._flush(device)
            await self._outlet.drain()
            raise
        finally:
            await self._link.close()
            await self._outlet.close()

    def _start(self) -> None:
        now = self._loop.time()
        for device in self._devices:
            for job in device.jobs:
                job.due = job.flushed_at = now + phase(self._name, job) * min(job.interval_s, _FIRST_WITHIN_S)

    async def _turn(self) -> None:
        """One question, or the wait for the next one's time."""
        now = self._loop.time()
        due = [device for device in self._devices if device.next_at() <= now]
        if not due:
            await asyncio.sleep(min(device.next_at() for device in self._devices) - now)
            return
        # Who was idle has no claim to the time that others used meanwhile.
        self._fair_s = max(self._fair_s, min(device.spent_s for device in due))
        device = min(due, key=lambda device: device.spent_s)
        device.spent_s = max(device.spent_s, self._fair_s)
        await (self._probe(device) if device.silences else self._ask(device, device.next_job(now)))

    async def _ask(self, device: Device, job: Job) -> None:
        began = self._loop.time()
        if job.left == job.requests:
            job.flushed_at = began
        answer = await self._answer(device, job.question())
        if answer is None:
            return
        now = self._loop.time()
        job.line_s += now - began
        job.take(answer)
        is_cut = job.left > 0 and job.line_s >= device.budget_of(job)
        if not job.left or is_cut or now - job.flushed_at > _FLUSH_S:
            job.flushed_at = now
            await self._outlet.offer(job, job.columns())
        if not job.left or is_cut:
            self._end_poll(job, is_cut, now)

    def _end_poll(self, job: Job, is_cut: bool, now: float) -> None:
        took_s, interval_s = now - job.due, job.interval_s
        if is_cut or took_s > interval_s:
            job.overruns += 1
            self._tell_overrun(job, took_s)
            # What overran is not made up for: the device is slow enough already.
            job.due = max(now, job.due + interval_s)
        else:
            job.overruns = 0
            offset = phase(self._name, job) * interval_s
            # Onto the grid of its own phase: the first point that is at least half an interval away.
            turn = math.ceil((job.due + interval_s / 2 - offset) / interval_s)
            job.due = max(now, turn * interval_s + offset)
        job.end_poll(now)

    def _tell_overrun(self, job: Job, took_s: float) -> None:
        """Once is an accident."""
        if job.overruns > 1:
            done = f"{job.requests - job.left} of its {job.requests} requests"
            self._complaints.note(
                (job, "overrun"),
                ConditionCode.OVERRUN,
                f"{job}: {done} took {took_s:.3f} s ({job.line_s:.3f} s of them on the line), its interval is "
                f"{job.interval_s:g} s: raise the interval, or read fewer registers that lie nearer together",
            )

    async def _probe(self, device: Device) -> None:
        if await self._answer(device, device.jobs[0].probe()) is not None:
            device.revive(self._loop.time())

    async def _answer(self, device: Device, question: Question) -> bytes | int | None:
        """None when the unit did not answer; it is on probation then."""
        began = self._loop.time()
        try:
            answer = await self._link.ask(question, device.timeout_s, again=not device.silences)
        except Silent:
            text = f"silent for {device.timeout_s:g} s"
            await self._failed(device, text, BAD_TIMEOUT, ConditionCode.SILENT)
            return None
        except Garbled as garbled:
            await self._failed(device, str(garbled), BAD_COMMUNICATION_ERROR, ConditionCode.NONSENSE)
            return None
        finally:
            device.spent_s += self._loop.time() - began
        if not self._is_connected:
            await self._connected()
        if isinstance(answer, int) and answer in _UNIT_AWAY:
            name, status, condition = exception_of(answer)
            await self._failed(device, name, status, condition)
            return None
        return answer

    async def _failed(self, device: Device, trouble: str, status: int, condition: ConditionCode) -> None:
        """The unit goes on probation; when no unit answers, the source is lost."""
        await self._flush(device)
        now = self._loop.time()
        is_new = device.fail(trouble, status, now)
        for other in self._devices:
            if other.silences and other is not device:  # one wait after the other would hold up those that answer
                other.probe_at = max(other.probe_at, now + device.timeout_s)
        if condition is not ConditionCode.UNREACHABLE:
            if all(each.silences for each in self._devices):
                self._lost(condition, trouble)
            await self._link.renew()
        if is_new and self._is_connected:
            await self._mark(device)
        self._sink.note(
            condition,
            f"unit {device.unit} of {self._settings.place}: {trouble}; its signals are bad, the other units are read "
            f"on, it is asked again in {device.probe_at - now:.0f} s",
        )

    async def _flush(self, device: Device) -> None:
        """What came before the silence is stored; the next poll begins anew."""
        for job in device.jobs:
            if job.has_news:
                await self._outlet.offer(job, job.columns())
            job.restart()

    def _lost(self, condition: ConditionCode, trouble: str) -> None:
        if condition is ConditionCode.NONSENSE:
            raise SourceUnreachable(f"{self._settings.place} answers nonsense: {trouble}", condition=condition)
        if self._link.is_serial:
            raise SourceUnreachable(f"no unit on {self._settings.place} answers: {trouble}")
        raise SourceUnreachable(f"{self._settings.place} accepts connections but answers nothing")

    async def _connected(self) -> None:
        self._is_connected = True
        self._sink.connected()
        n = len(self._wrong)
        keys = np.array([signal.key for signal in self._wrong], np.int32)
        status = np.full(n, BAD_CONFIGURATION_ERROR, np.uint32)
        await self._outlet.offer(self, Columns(keys, np.full(n, now_us()), np.full(n, np.nan), status))
        for device in self._devices:
            if device.silences:
                await self._mark(device)

    async def _mark(self, device: Device) -> None:
        """Its signals are bad, told once."""
        if not device.is_told:
            device.is_told = True
            for job in device.jobs:
                await self._outlet.offer(job, job.all_bad(device.status))

"""What the gateway's own doors cost: spool frames by both Arrow libraries, webhook pushes, files in a folder.

Run: `python -m benchmarks.push_and_folder [--quick]`. The webhook's sender is a process of its own on loopback; "of a
core" is this process alone. Nothing is stored: the sink counts.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.connectors import CountingSink, repeat, request, show
from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool.codec import FrameCodec
from forewarn.plugins.batch_logs.sqlite_spool.codec_arro3 import Arro3Codec
from forewarn.plugins.batch_logs.sqlite_spool.codec_pyarrow import PyarrowCodec
from forewarn.plugins.connectors import folder, webhook
from tests.peers.processes import free_port

SCALE = 0.2 if "--quick" in sys.argv else 1.0
START_US = 1_769_846_400_000_000
SIGNALS = [Signal(f"p.s{i}", "p", f"s{i}", "other", "1", key=i + 1, address=f"s{i}") for i in range(10)]
SENDER = """
import asyncio, json, sys
import aiohttp

async def main(port, batches, readings):
    rows = [{"sensor_id": f"s{i % 10}", "timestamp": 1769846400000 + i, "value": i / 4} for i in range(readings)]
    body = json.dumps({"gateway_id": "g", "readings": rows}).encode()
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:
        async def one():
            for _ in range(batches // 4):
                url = f"http://127.0.0.1:{port}/api/v1/telemetry/batch"
                async with session.post(url, data=body, headers=headers) as answer:
                    assert answer.status == 200, await answer.text()
        await asyncio.gather(*(one() for _ in range(4)))

asyncio.run(main(*map(int, sys.argv[1:])))
"""


def bench_codecs() -> None:
    codecs: dict[str, FrameCodec] = {"pyarrow": PyarrowCodec(), "arro3": Arro3Codec()}
    for rows in (1_000, 10_000):
        values = np.round(np.random.default_rng(1).normal(50, 3, rows), 2)
        times = START_US + np.arange(rows) * 1_000
        keys = (np.arange(rows) % 1_000).astype(np.int32)
        batch = ReadingBatch(keys, times, values, np.zeros(rows, np.uint32), "g", 1)
        for name, codec in codecs.items():
            body = bytes(codec.body(batch))

            def write(codec: FrameCodec = codec, batch: ReadingBatch = batch) -> int:
                codec.body(batch)
                return len(batch)

            def read(codec: FrameCodec = codec, body: bytes = body) -> int:
                return len(codec.columns(body)[0])

            for verb, work in (("written", write), ("read", read)):
                show(f"spool frame of {rows:,}, {verb} by {name}", *repeat(work, 0.5 * SCALE), "readings")


async def bench_webhook() -> None:
    for readings in (1, 500):
        batches = int(SCALE * (4_000 if readings == 1 else 1_200))
        port, sink = free_port(), CountingSink()
        task = asyncio.create_task(webhook.CONNECTOR.run(request(webhook.CONNECTOR, {"port": port}, SIGNALS), sink))
        await sink.ready.wait()
        sender = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SENDER, f"{port}", f"{batches}", f"{readings}"
        )
        await sink.took(1)
        before, wall, cpu = sink.readings, time.perf_counter(), time.process_time()
        await sender.wait()
        spent = time.perf_counter() - wall, time.process_time() - cpu
        show(f"webhook, {readings} a batch, 4 senders", sink.readings - before, *spent, "readings")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def bench_folder() -> None:
    rows = int(100_000 * SCALE)
    time_us = START_US + np.arange(rows) * 1_000_000
    values = np.round(np.random.default_rng(1).normal(50, 3, (rows, len(SIGNALS))), 2)

    def csv(path: Path) -> None:
        stamps = np.char.add(np.datetime_as_string(time_us.astype("datetime64[us]")), "Z").tolist()
        head = "time," + ",".join(f"s{i}" for i in range(len(SIGNALS)))
        lines = (f"{at},{','.join(map(str, row))}" for at, row in zip(stamps, values.tolist(), strict=True))
        path.write_text("\n".join([head, *lines, ""]))

    def parquet(path: Path) -> None:
        columns = {f"s{i}": values[:, i] for i in range(len(SIGNALS))}
        pq.write_table(pa.table({"time": pa.array(time_us, pa.timestamp("us", "UTC")), **columns}), path)

    makers: dict[str, Callable[[Path], None]] = {"csv": csv, "parquet": parquet}
    for ending, make in makers.items():
        with tempfile.TemporaryDirectory() as inbox:
            make(Path(inbox) / f"a.{ending}")
            settings: dict[str, object] = {"path": inbox, "complete": "renamed", "scan_s": 0.01}
            sink = CountingSink()
            wall, cpu = time.perf_counter(), time.process_time()
            task = asyncio.create_task(folder.CONNECTOR.run(request(folder.CONNECTOR, settings, SIGNALS), sink))
            await sink.took(rows * len(SIGNALS))
            spent = time.perf_counter() - wall, time.process_time() - cpu
            show(f"folder, wide {ending} of {len(SIGNALS)} columns, its place kept", sink.readings, *spent, "readings")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    bench_codecs()
    asyncio.run(bench_webhook())
    asyncio.run(bench_folder())

"""A folder with real files: taken when complete, stored once, whatever happens meanwhile."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.plugins.connectors.folder import CONNECTOR
from forewarn.plugins.connectors.folder.ledger import FolderLedger
from forewarn.plugins.connectors.folder.looking import Watch
from forewarn.plugins.connectors.folder.settings import FolderSettings
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

ROOT = Path(__file__).parents[4]
T = 1_769_846_400_000_000
QUICK = {"scan_s": 0.03, "stable_s": 0.0}


@contextlib.asynccontextmanager
async def watching(
    folder: Path, *addresses: str, sink: RecordingSink | None = None, **settings: object
) -> AsyncIterator[RecordingSink]:
    sink = sink or RecordingSink()
    signals = signals_at(*(addresses or ("temp", "flow")))
    request = request_for(CONNECTOR, {"path": str(folder), **QUICK, **settings}, signals)
    async with running(CONNECTOR, request, sink) as task:
        await eventually(lambda: sink.connects > 0, "watching", task)
        yield sink
        if task.done():
            task.result()


async def rows(sink: RecordingSink, count: int) -> list[tuple[int, int, float, int]]:
    await eventually(lambda: len(sink.rows) >= count, f"{count} readings")
    return sorted(sink.rows)


async def settled(sink: RecordingSink) -> None:
    """The folder was looked through once more after what is stored now was noted down."""
    seen = sink.alives
    await eventually(lambda: sink.alives > seen + 1, "another look")


async def test_a_wide_file_is_read_column_by_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,temp,flow,other\n2026-01-31T08:00:00Z,1.5,7,x\n2026-01-31T08:00:01Z,,8,y\n")
    async with watching(tmp_path) as sink:
        found = await rows(sink, 4)
    assert found[:1] == [(1, T, 1.5, 0)]
    assert found[1][:2] == (1, T + 1_000_000)
    assert np.isnan(found[1][2])
    assert found[1][3] == 0x809B0000
    assert found[2:] == [(2, T, 7.0, 0), (2, T + 1_000_000, 8.0, 0)]
    assert (sink.rejections, sink.notes) == ([], [])


async def test_a_long_file_is_read_with_its_qualities(tmp_path: Path) -> None:
    text = f"time;signal_id;value;quality\n{T};temp;1,5;good\n{T};pump.s2;2;0x40000000\n{T};what;3;\n{T};flow;4;odd\n"
    (tmp_path / "a.csv").write_text(text)
    async with watching(tmp_path, decimal=",") as sink:
        assert await rows(sink, 2) == [(1, T, 1.5, 0), (2, T, 2.0, 0x40000000)]
    assert sink.rejections == [
        "a.csv line 4: column signal_id: 'what' is no signal of this source",
        "a.csv line 5: column quality: 'odd' is no quality: write good, bad or a StatusCode",
    ]


async def test_wrong_lines_are_told_and_the_others_taken(tmp_path: Path) -> None:
    lines = ["time,temp,flow", f"{T},1,1", f"{T + 1},warm,2", "", f"{T + 2},3", f'{T + 3},"4,4', f"{T + 4},1e999,5"]
    (tmp_path / "a.csv").write_bytes("\r\n".join([*lines, f"{T + 5},6,6"]).encode() + b"\n\xff\xfe\x00,1,1")
    async with watching(tmp_path) as sink:
        found = await rows(sink, 6)
    assert [(row[0], row[1] - T, row[2]) for row in found] == [
        (1, 0, 1.0), (1, 5, 6.0), (2, 0, 1.0), (2, 1, 2.0), (2, 4, 5.0), (2, 5, 6.0)
    ]  # fmt: skip
    assert [text.split(":")[0] for text in sink.rejections] == [f"a.csv line {n}" for n in (3, 5, 6, 7, 9)]
    assert "'warm' is no finite number" in sink.rejections[0]
    assert "2 fields, and 3 are named" in sink.rejections[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no time column"),
        ("time,b\n1,2\n", "no column is a signal"),
        ("time,b,b\n1,2,3\n", "two columns are called 'b'"),
        ("x" * 1_100_000, "longer than"),
    ],
)
async def test_a_file_that_is_no_use_is_named_and_holds_nobody_up(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    os.utime(tmp_path / "a.csv", (1, 1))
    (tmp_path / "b.csv").write_text(f"time,temp\n{T},5\n")
    async with watching(tmp_path, afterwards="move") as sink:
        await rows(sink, 1)
        await eventually(lambda: len(sink.notes) > 1, "the note goes on")
        assert said in sink.rejections[0]
        assert sink.conditions == [ConditionCode.NONSENSE]
        assert sink.notes[0][0] is ConditionCode.NONSENSE
        assert (tmp_path / "a.csv").exists()
        (tmp_path / "a.csv").write_text(f"time,temp\n{T},6\n")
        await rows(sink, 2)
        await eventually(lambda: not (tmp_path / "a.csv").exists(), "moved once corrected")


async def test_files_are_moved_or_deleted_and_never_overwritten(tmp_path: Path) -> None:
    async with watching(tmp_path, afterwards="move") as sink:
        for turn in range(2):
            (tmp_path / "a.csv").write_text(f"time,temp\n{T + turn},{turn}\n")
            await rows(sink, turn + 1)
            await eventually(lambda: not (tmp_path / "a.csv").exists(), "moved")
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["a-1.csv", "a.csv"]
    async with watching(tmp_path, afterwards="delete") as sink:
        (tmp_path / "b.csv").write_text(f"time,temp\n{T},1\n")
        await eventually(lambda: not (tmp_path / "b.csv").exists(), "deleted")
    assert sink.values(1) == [1.0]


async def test_a_file_is_taken_only_when_it_is_complete(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"time,temp\n{T},1\n")
    async with watching(tmp_path, complete="marker", afterwards="delete") as sink:
        await settled(sink)
        assert sink.rows == []
        (tmp_path / "a.csv.done").touch()
        await rows(sink, 1)
        await eventually(lambda: not list(tmp_path.glob("a.*")), "both deleted")


def test_a_file_that_still_changes_is_not_stable(tmp_path: Path) -> None:
    now = 100.0
    settings = FolderSettings(path=tmp_path, stable_s=5.0)
    watch = Watch(settings, FolderLedger(tmp_path / "state"), lambda: now)
    file = tmp_path / "a.csv"
    for size in range(1, 4):
        file.write_text("x" * size)
        assert watch.look() == []
        now += 4.9
    assert watch.look() == []
    now += 0.2
    ((path, seen),) = watch.look()
    assert (path, seen.size) == (file, 3)
    os.utime(file, (1, 1))
    assert watch.look() == []


async def test_what_is_stored_is_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"time,temp\n{T},1\n")
    async with watching(tmp_path) as sink:
        await rows(sink, 1)
        await settled(sink)
    assert len(sink.rows) == 1
    (tmp_path / "a.csv").rename(tmp_path / "z.csv")
    (tmp_path / "b.csv").write_text(f"time,temp\n{T},2\n")
    async with watching(tmp_path) as sink:
        await rows(sink, 1)
        await settled(sink)
    assert sink.values(1) == [2.0]


async def test_growing_files_are_followed_through_rotation(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    async with watching(tmp_path, follow=True, pattern=["log*.csv"]) as sink:
        log.write_text("time,te")
        await settled(sink)
        with log.open("a") as file:
            file.write(f"mp\n{T},1\n{T + 1},")
        await rows(sink, 1)
        with log.open("a") as file:
            file.write(f"2\n{T + 2},3\n")
        await rows(sink, 3)
        log.rename(tmp_path / "log-1.csv")
        with (tmp_path / "log-1.csv").open("a") as file:
            file.write(f"{T + 3},4\n")
        log.write_text(f"time,temp\n{T + 10},5\n")
        await rows(sink, 5)
        await settled(sink)
    async with watching(tmp_path, follow=True, pattern=["log*.csv"]) as sink:
        with log.open("a") as file:
            file.write(f"{T + 11},6\n")
        await rows(sink, 1)
        await settled(sink)
    assert sink.values(1) == [6.0]


async def test_names_and_columns_lead_to_addresses(tmp_path: Path) -> None:
    (tmp_path / "mill-3_2026.csv").write_text("head\n31.01.2026 09:00:00|5|6\n", encoding="latin-1")
    settings = {
        "names": ["when", "T", "F"], "skip_lines": 1, "time_column": "when", "time_format": "%d.%m.%Y %H:%M:%S",
        "time_zone": "Europe/Berlin", "file_groups": r"(?P<machine>\w+-\d+)_", "address": "{machine}/{column}",
        "columns": {"F": "flow"}, "encoding": "latin-1",
    }  # fmt: skip
    async with watching(tmp_path, "mill-3/T", "flow", **settings) as sink:
        assert await rows(sink, 2) == [(1, T, 5.0, 0), (2, T, 6.0, 0)]
    (tmp_path / "odd.csv").write_text("head\n31.01.2026 09:00:00|5|6\n")
    async with watching(tmp_path, "mill-3/T", "flow", **settings) as sink:
        await eventually(lambda: bool(sink.rejections), "told")
    assert "does not fit file_groups" in sink.rejections[0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
async def test_parquet_of_every_kind_of_time(tmp_path: Path, unit: str, zone: str | None) -> None:
    seconds = np.array([T // 1_000_000, T // 1_000_000 + 1], "datetime64[s]").astype(f"datetime64[{unit}]")
    table = pa.table(
        {
            "time": pa.array(seconds, pa.timestamp(unit, zone)),
            "temp": pa.array([1.5, None], pa.float32()),
            "flow": pa.array([3, 4], pa.int16()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    async with watching(tmp_path, empty="skip", time_zone="Europe/Berlin" if zone is None else "UTC") as sink:
        found = await rows(sink, 3)
    shift = 3_600_000_000 if zone is None else 0
    assert found == [(1, T - shift, 1.5, 0), (2, T - shift, 3.0, 0), (2, T + 1_000_000 - shift, 4.0, 0)]


async def test_parquet_in_long_form_and_in_many_chunks(tmp_path: Path) -> None:
    n = 5_000
    table = pa.table(
        {
            "time": np.arange(n) + T,
            "signal_id": pa.array(["temp", "flow"] * (n // 2)).dictionary_encode(),
            "value": np.arange(n) / 4,
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=700)
    async with watching(tmp_path, chunk_rows=900) as sink:
        found = await rows(sink, n)
    assert sorted((time - T, value) for _, time, value, _ in found) == [(i, i / 4) for i in range(n)]
    assert {row[0] for row in found if (row[1] - T) % 2} == {2}


async def test_a_damaged_parquet_file_is_told_and_ends_nothing(tmp_path: Path) -> None:
    pq.write_table(pa.table({"time": [T], "temp": [1.0]}), tmp_path / "whole.parquet")
    data = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(data[:-9])
    (tmp_path / "text.parquet").write_text("time,temp\n")
    (tmp_path / "empty.parquet").touch()
    async with watching(tmp_path) as sink:
        await rows(sink, 1)
        await eventually(lambda: len(sink.rejections) >= 3, "all told")
    assert {text.split(":")[0] for text in sink.rejections} == {"cut.parquet", "text.parquet", "empty.parquet"}
    assert all("no readable Parquet" in text for text in sink.rejections)


async def test_a_folder_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    request = request_for(CONNECTOR, {"path": str(tmp_path / "none"), **QUICK}, signals_at("temp"))
    with pytest.raises(SourceUnreachable, match="none"):
        await CONNECTOR.run(request, RecordingSink())
    (tmp_path / "none").mkdir()
    async with watching(tmp_path / "none"):
        pass
    task = asyncio.create_task(CONNECTOR.run(request, sink := RecordingSink()))
    await eventually(lambda: sink.connects > 0, "watching", task)
    (tmp_path / "none").rename(tmp_path / "gone")
    with pytest.raises(SourceUnreachable, match="none"):
        await asyncio.wait_for(task, 60)


async def test_a_state_file_that_cannot_be_written_is_told_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"time,temp\n{T},1\n")
    state = tmp_path / "elsewhere" / "state.json"
    sink = RecordingSink()
    request = request_for(CONNECTOR, {"path": str(tmp_path), "state_file": str(state), **QUICK}, signals_at("temp"))
    async with running(CONNECTOR, request, sink) as task:
        await eventually(lambda: len(sink.notes) > 1, "told", task)
        assert (sink.rows, sink.connects) == ([], 0)
        assert "state_file" in sink.notes[0][1]
        state.parent.mkdir()
        await rows(sink, 1)
    state.write_text('["a.csv"\n[]\n')
    with pytest.raises(ConfigurationError, match="json:1"):
        await CONNECTOR.run(request, RecordingSink())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"time_zone": "Mars/Base"}, "no time zone"),
        ({"time_format": "iso"}, "none of auto"),
        ({"follow": True, "afterwards": "move"}, "follow"),
        ({"follow": True, "complete": "marker"}, "follow"),
        ({"decimal": ",", "delimiter": ","}, "both a comma"),
        ({"address": "{machine}"}, "cannot be filled in"),
        ({"file_groups": "("}, "no regular expression"),
    ],
)
def test_wrong_settings_are_explained(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as error:
        CONNECTOR.settings.model_validate({"path": "/x", **settings})
    assert said in str(error.value)


WORKER = """
import asyncio, os, sys
from pathlib import Path
from forewarn.plugins.connectors.folder import CONNECTOR
from tests.plugins.connectors.recording import RecordingSink, request_for, signals_at

class DurableSink(RecordingSink):
    async def put(self, signal, time, value, quality):
        with open(sys.argv[2], "a") as file:
            file.writelines(f"{t} {v}\\n" for t, v in zip(time.tolist(), value.tolist()))
            file.flush()
            os.fsync(file.fileno())

settings = {"path": sys.argv[1], "scan_s": 0.02, "stable_s": 0.0, "chunk_rows": 40, "afterwards": "move"}
asyncio.run(CONNECTOR.run(request_for(CONNECTOR, settings, signals_at("temp")), DurableSink()))
"""


def test_kill_9_at_any_row_loses_nothing_and_repeats_at_most_a_chunk(tmp_path: Path) -> None:
    n, inbox, stored = 4_000, tmp_path / "in", tmp_path / "stored"
    inbox.mkdir()
    (inbox / "a.csv").write_text("time,temp\n" + "".join(f"{T + i},{i}\n" for i in range(n)))
    pq.write_table(pa.table({"time": np.arange(n) + T + n, "temp": np.arange(n) + n}), inbox / "b.parquet")
    lives = 0
    while list(inbox.glob("?.*")):
        before = len(stored.read_text().splitlines()) if stored.exists() else 0
        child = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(inbox), str(stored)],
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": os.environ["PATH"]},
        )
        try:
            wanted = before + 700 + 97 * lives
            while list(inbox.glob("?.*")) and (not stored.exists() or len(stored.read_text().splitlines()) < wanted):
                assert child.poll() is None
                time.sleep(0.002)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        lives += 1
    lines = stored.read_text().splitlines()
    assert lives >= 4
    assert {int(line.split()[0]) - T for line in lines} == set(range(2 * n))
    assert len(lines) - 2 * n <= 40 * lives
    assert len(list((inbox / "done").iterdir())) == 2

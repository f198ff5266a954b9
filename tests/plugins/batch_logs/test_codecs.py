"""Both Arrow libraries write the same frames: whichever machine wrote a spool, the other can read it."""

import subprocess
import sys
import textwrap
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from arro3.core import Array, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_ipc_stream
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool, frame
from forewarn.plugins.batch_logs.sqlite_spool.codec import FrameCodec, Unreadable, choose
from forewarn.plugins.batch_logs.sqlite_spool.codec_arro3 import SCHEMA as ARRO3_SCHEMA
from forewarn.plugins.batch_logs.sqlite_spool.codec_arro3 import Arro3Codec
from forewarn.plugins.batch_logs.sqlite_spool.codec_pyarrow import SCHEMA as PYARROW_SCHEMA
from forewarn.plugins.batch_logs.sqlite_spool.codec_pyarrow import PyarrowCodec
from tests.plugins.batch_logs.batches import batch, same

ROOT = Path(__file__).parents[3]
CODECS: dict[str, FrameCodec] = {"pyarrow": PyarrowCodec(), "arro3": Arro3Codec()}
rows = st.lists(
    st.tuples(
        st.integers(-(2**31), 2**31 - 1),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=300,
)


def columns_of(found: list[tuple[int, int, float, int]]) -> ReadingBatch:
    signal, time, value, quality = zip(*found, strict=True)
    return ReadingBatch(
        np.array(signal, np.int32),
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint32),
        "gw",
        1,
    )


@pytest.mark.parametrize("writer", CODECS)
@pytest.mark.parametrize("reader", CODECS)
@given(found=rows)
def test_each_reads_what_the_other_wrote_to_the_bit(
    writer: str, reader: str, found: list[tuple[int, int, float, int]]
) -> None:
    one = columns_of(found)
    back = CODECS[reader].columns(bytes(CODECS[writer].body(one)))
    want = (one.signal, one.time, one.value, one.quality)
    assert [c.tobytes() for c in back] == [c.tobytes() for c in want]
    assert [c.dtype for c in back] == [c.dtype for c in want]


def test_columns_that_are_slices_or_strided_are_written_right() -> None:
    wide = batch(3, readings=100)
    part = wide.take(slice(10, 90, 3))
    for codec in CODECS.values():
        assert codec.columns(bytes(codec.body(part)))[2].tolist() == wide.value[10:90:3].tolist()


@pytest.mark.parametrize("name", CODECS)
@given(length=st.integers(0, 1_900))
def test_a_body_cut_short_is_unreadable_or_whole(name: str, length: int) -> None:
    for writer in CODECS.values():
        whole = bytes(writer.body(batch(7, readings=60)))
        try:
            back = CODECS[name].columns(whole[: min(length, len(whole))])
        except Unreadable:
            continue
        assert back[1].tolist() == batch(7, readings=60).time.tolist()


@pytest.mark.parametrize("name", CODECS)
def test_other_columns_and_no_rows_are_unreadable(name: str) -> None:
    other, empty = BytesIO(), BytesIO()
    column = Array.from_numpy(np.arange(3.0))
    write_ipc_stream(RecordBatch.from_arrays([column], schema=Schema([Field("x", column.type)])), other)
    write_ipc_stream(RecordBatchReader.from_batches(ARRO3_SCHEMA, []), empty)
    with pytest.raises(Unreadable, match="x"):
        CODECS[name].columns(other.getvalue())
    with pytest.raises(Unreadable):
        CODECS[name].columns(empty.getvalue())


@pytest.mark.parametrize("name", CODECS)
def test_what_the_library_cannot_read_is_a_damaged_frame(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "CODEC", CODECS[name])
    good = frame.encode(batch(1, readings=20)).at(9)
    assert same(frame.decode(good), batch(1, readings=20))
    for body, readings in ((b"not Arrow", 20), (bytes(good.body)[:-200], 20), (bytes(good.body), 21)):
        crc = frame._crc(9, "gw", 1, readings, frame.zlib.crc32(body))
        with pytest.raises(frame.FrameDamaged, match="frame 9"):
            frame.decode(frame.Frame(9, "gw", 1, readings, crc, body))


def test_schemas_are_the_same() -> None:
    assert pa.schema(ARRO3_SCHEMA) == PYARROW_SCHEMA


def test_pyarrow_is_taken_where_it_is_installed() -> None:
    assert isinstance(choose(), PyarrowCodec)


def test_a_spool_written_without_pyarrow_is_read_with_it_and_back(tmp_path: Path) -> None:
    without_pyarrow(
        f"""
        log = SqliteSpool(Path({str(tmp_path)!r}))
        for s in range(5):
            log.append(batch(s, readings=40)).result(10)
        log.close()
        """
    )
    log = SqliteSpool(tmp_path)
    assert all(same(found, batch(i, readings=40)) for i, (_, found) in enumerate(log.read(0, 1_000)))
    log.append(batch(5, readings=40)).result(10)
    log.close()
    told = without_pyarrow(
        f"""
        log = SqliteSpool(Path({str(tmp_path)!r}))
        print([same(found, batch(i, readings=40)) for i, (_, found) in enumerate(log.read(0, 1_000))])
        log.close()
        """
    )
    assert told.strip() == str([True] * 6)


def without_pyarrow(code: str) -> str:
    """Run it where `import pyarrow` fails, as on a gateway."""
    start = """
        import sys
        sys.modules["pyarrow"] = None
        from pathlib import Path
        from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
        from tests.plugins.batch_logs.batches import batch, same
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(start) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

"""Keys are never reused, and a name is never put to another's readings, whatever is cut short, lost or damaged."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.domain.assets import Plant, Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.gateway.local.database import FILE as DATABASE
from forewarn.gateway.local.database import Memory
from forewarn.gateway.local.key_file import KeyFile
from forewarn.gateway.local.keys import FILE, SignalKeys

Told = list[tuple[ConditionCode, str]]


def plant(*names: str) -> Plant:
    return Plant((), tuple(Signal(name, "p1", name, "other", "1") for name in names))


def borne(*keys: int) -> Callable[[], NDArray[np.int32]]:
    return lambda: np.array(keys, np.int32)


@contextlib.contextmanager
def opened(directory: Path, told: Told | None = None, used: Sequence[int] = ()) -> Iterator[SignalKeys]:
    told = [] if told is None else told
    memory = Memory(directory, lambda code, text: told.append((code, text)))
    try:
        yield SignalKeys(directory, memory, lambda code, text: told.append((code, text)), borne(*used))
    finally:
        memory.close()


def keys(directory: Path, *names: str, used: Sequence[int] = (), told: Told | None = None) -> dict[str, int]:
    with opened(directory, told, used) as signals:
        return {s.id: s.key for s in signals.take(plant(*names))}


def names(directory: Path, told: Told | None = None) -> dict[int, str]:
    with opened(directory, told) as signals:
        return dict(signals.id_of())


def lose(directory: Path, *files: str) -> None:
    for name in files:
        for path in directory.glob(f"{name}*"):
            path.unlink()


def test_a_signal_keeps_its_key_and_a_new_one_gets_the_next(tmp_path: Path) -> None:
    told: Told = []
    assert keys(tmp_path, "a", "b", told=told) == {"a": 1, "b": 2}
    assert keys(tmp_path, "c", told=told) == {"c": 3}
    assert keys(tmp_path, "b", "d", told=told) == {"b": 2, "d": 4}
    assert names(tmp_path, told) == {1: "a", 2: "b", 3: "c", 4: "d"}
    assert not told


_names = st.lists(st.text("abü.", min_size=1, max_size=4), unique=True, max_size=6)
# cut: that share of it is left. turned, flipped: the byte there is another. gone: no such file.
_harm = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1)),
    st.tuples(st.sampled_from(["turned", "flipped"]), st.floats(0, 1)),
    st.tuples(st.just("gone"), st.just(0.0)),
)


def harm(path: Path, how: str, where: float) -> None:
    content = bytearray(path.read_bytes()) if path.exists() else bytearray()
    if how == "gone":
        path.unlink(missing_ok=True)
    elif how == "cut":
        path.write_bytes(content[: int(where * len(content))])
    elif content:
        at = min(int(where * len(content)), len(content) - 1)
        content[at] ^= 0xA5 if how == "turned" else 1
        path.write_bytes(content)


@settings(max_examples=60, deadline=None)
@given(st.lists(_names, min_size=1, max_size=4), st.sampled_from([FILE, DATABASE]), _harm)
def test_either_copy_is_restored_from_the_other(plants: list[list[str]], file: str, done: tuple[str, float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for each in plants:
            keys(directory, *each)
        before = names(directory)
        harm(directory / file, *done)
        told: Told = []
        after = keys(directory, *plants[-1], "new", used=list(before), told=told)
        assert all(key not in before for name, key in after.items() if name not in before.values())
        again = names(directory)
        assert again.items() >= before.items()
        assert len(set(again.values())) == len(again)
        quiet: Told = []
        assert names(directory, quiet) == again
        assert not quiet, "what was restored is whole"


@settings(max_examples=60, deadline=None)
@given(st.lists(_names, min_size=1, max_size=4), _harm, _harm)
def test_whatever_happens_to_both_no_key_that_a_reading_bears_is_given_again(
    plants: list[list[str]], first: tuple[str, float], second: tuple[str, float]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for each in plants:
            keys(directory, *each)
        before = names(directory)
        harm(directory / FILE, *first)
        harm(directory / DATABASE, *second)
        after = keys(directory, "new", used=list(before))
        assert after["new"] not in before
        later = keys(directory, "newer")  # the buffers are not read again: the copies are alike
        assert later["newer"] not in before
        assert later["newer"] != after["new"]


def test_a_copy_that_is_gone_is_restored_and_said(tmp_path: Path) -> None:
    keys(tmp_path, "a", "b")
    for lost in (FILE, DATABASE):
        lose(tmp_path, lost)
        told: Told = []
        assert names(tmp_path, told) == {1: "a", 2: "b"}
        assert [code for code, _ in told] == [ConditionCode.BUFFER_DAMAGED]
        assert (tmp_path / FILE).read_text() == "1\ta\n2\tb\n"


@pytest.mark.parametrize("text", ["1\ta\n1\tb\n", "1\tb\n2\tb\n", "x\ta\n", "1\n", "\n", "1\ta\n\xff\n", "0\ta\n"])
def test_a_damaged_file_is_set_aside_and_written_anew(tmp_path: Path, text: str) -> None:
    keys(tmp_path, "a", "b")
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    told: Told = []
    assert names(tmp_path, told) == {1: "a", 2: "b"}
    ((code, said),) = told
    assert code is ConditionCode.BUFFER_DAMAGED
    assert FILE in said
    (aside,) = tmp_path.glob(f"{FILE}.damaged-*")
    assert aside.read_bytes() == text.encode("latin-1")
    assert (tmp_path / FILE).read_text() == "1\ta\n2\tb\n"


def test_who_only_looks_leaves_a_line_that_is_being_added(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.write_bytes(b"1\ta\n2\tb")
    assert dict(KeyFile(tmp_path).read(mend=False).keys) == {1: "a"}
    assert file.read_bytes() == b"1\ta\n2\tb"
    KeyFile(tmp_path).read()
    assert file.read_bytes() == b"1\ta\n"


def test_where_they_disagree_the_database_is_kept_to_and_the_other_name_gets_a_new_key(tmp_path: Path) -> None:
    keys(tmp_path, "a", "b", "c")
    (tmp_path / FILE).write_text("1\ta\n2\tz\n3\tc\n")
    told: Told = []
    assert keys(tmp_path, "z", used=[1, 2, 3], told=told) == {"z": 4}
    assert "did not agree" in told[0][1]
    assert names(tmp_path) == {1: "a", 2: "b", 3: "c", 4: "z"}


def test_with_both_gone_keys_go_on_above_what_the_buffers_hold(tmp_path: Path) -> None:
    keys(tmp_path, "a", "b")
    lose(tmp_path, FILE, DATABASE)
    told: Told = []
    assert keys(tmp_path, used=[2, 7], told=told) == {}
    assert [code for code, _ in told] == [ConditionCode.BUFFER_DAMAGED]
    assert "2 keys that have lost" in told[0][1]
    assert keys(tmp_path, "a", "b") == {"a": 8, "b": 9}


def test_a_database_damaged_while_it_runs_is_filled_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    signals = SignalKeys(tmp_path, memory)
    signals.take(plant("a", "b"))
    memory._met(sqlite3.DatabaseError("file is not a database"))
    memory.close()
    (tmp_path / FILE).unlink()
    assert names(tmp_path) == {1: "a", 2: "b"}


KILLED = """
import os, signal, sys
from pathlib import Path
from forewarn.gateway.local.database import Memory
from forewarn.gateway.local.keys import SignalKeys
from tests.gateway.local.test_keys import plant
directory = Path(sys.argv[1])
memory = Memory(directory)
signals = SignalKeys(directory, memory)
memory.write = lambda: os.kill(os.getpid(), signal.SIGKILL)
signals.take(plant("a", "b", "c"))
"""


def test_killed_between_the_two_writes(tmp_path: Path) -> None:
    keys(tmp_path, "a")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parents[3])
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / FILE).read_text() == "1\ta\n2\tb\n3\tc\n"
    told: Told = []
    assert names(tmp_path, told) == {1: "a", 2: "b", 3: "c"}
    assert not told, "nothing was lost"
    os.unlink(tmp_path / FILE)
    assert names(tmp_path) == {1: "a", 2: "b", 3: "c"}


@pytest.mark.parametrize("where", ["file", "table"])
def test_a_disk_that_is_full_for_a_while_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    memory = Memory(tmp_path)
    signals = SignalKeys(tmp_path, memory)
    signals.take(plant("a"))

    def refuses(*about: object) -> None:
        raise OSError(28, "No space left on device")

    def refuses_too() -> None:
        raise StorageFailed("full", condition=ConditionCode.DISK_FULL)

    with monkeypatch.context() as full:
        if where == "file":
            full.setattr("os.fsync", refuses)
        else:
            full.setattr(memory, "write", refuses_too)
        with pytest.raises(StorageFailed) as caught:
            signals.take(plant("a", "b"))
        assert caught.value.condition is ConditionCode.DISK_FULL
    # The file was read again meanwhile, and wants others.
    taken = {s.id: s.key for s in signals.take(plant("a", "c"))}
    assert taken["a"] == 1
    both = {s.id: s.key for s in signals.take(plant("b", "c"))}
    assert both["c"] == taken["c"]
    assert sorted(both.values()) == [2, 3]
    memory.close()
    assert names(tmp_path) == {1: "a", both["b"]: "b", both["c"]: "c"}

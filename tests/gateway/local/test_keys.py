"""Keys are never reused, whatever is cut short."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.assets import Plant, Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.gateway.local.keys import FILE, SignalKeys


def plant(*names: str) -> Plant:
    return Plant((), tuple(Signal(name, "p1", name, "other", "1") for name in names))


def keys(directory: Path, *names: str) -> dict[str, int]:
    return {s.id: s.key for s in SignalKeys(directory).take(plant(*names))}


def test_a_signal_keeps_its_key_and_a_new_one_gets_the_next(tmp_path: Path) -> None:
    assert keys(tmp_path, "a", "b") == {"a": 1, "b": 2}
    assert keys(tmp_path, "c") == {"c": 3}
    assert keys(tmp_path, "b", "d") == {"b": 2, "d": 4}
    assert SignalKeys(tmp_path).id_of() == {1: "a", 2: "b", 3: "c", 4: "d"}


_names = st.lists(st.text("abü.", min_size=1, max_size=4), unique=True, max_size=6)


@given(st.lists(_names, min_size=1, max_size=4), st.integers(0, 40))
def test_a_file_cut_short_loses_only_keys_that_no_reading_bears(plants: list[list[str]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for names in plants[:-1]:
            keys(directory, *names)
        before = SignalKeys(directory).id_of()
        size = (directory / FILE).stat().st_size if before else 0
        keys(directory, *plants[-1])
        file = directory / FILE
        if file.exists():  # power is lost while the last names are added
            with file.open("r+b") as handle:
                handle.truncate(max(size, file.stat().st_size - cut))
        again = SignalKeys(directory)
        assert again.id_of().items() >= before.items()
        after = keys(directory, *plants[-1])
        assert len(set(after.values())) == len(after)
        assert {key: name for name, key in after.items() if key in before}.items() <= before.items()


@pytest.mark.parametrize("text", ["1\ta\n1\tb\n", "1\ta\n2\ta\n", "x\ta\n", "1\n", "\n", "1\ta\n\xff\n"])
def test_a_file_that_contradicts_itself_is_named_not_guessed_at(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(StorageFailed, match=FILE) as caught:
        SignalKeys(tmp_path)
    assert caught.value.condition is ConditionCode.BUFFER_DAMAGED


def test_a_disk_that_is_full_for_a_while_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = SignalKeys(tmp_path)
    signals.take(plant("a"))

    def refuses(file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.fsync", refuses)
        with pytest.raises(StorageFailed):
            signals.take(plant("a", "b"))
    signals.take(plant("a", "b"))
    assert SignalKeys(tmp_path).id_of() == {1: "a", 2: "b"}

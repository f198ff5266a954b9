"""The anchor follows the chain's end, whoever moves it in whatever order, and never leads it."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from forewarn.catalog.audit_anchor import Anchor, AnchorDamaged
from forewarn.catalog.audit_chain import START, ChainEnd

KEY = b"k" * 32


def digest_at(number: int) -> str:
    return f"digest {number}"


def end(number: int) -> ChainEnd:
    return ChainEnd(number, digest_at(number))


@pytest.fixture
def anchor(tmp_path: Path) -> Anchor:
    made = Anchor(tmp_path / "site" / "anchor.json", KEY)
    made.begin()
    return made


def test_it_moves_on_and_never_back(anchor: Anchor) -> None:
    assert anchor.read() == START
    for number, stands in ((1, 1), (4, 4), (3, 4), (4, 4), (5, 5)):
        anchor.move(end(number), digest_at)
        assert anchor.read() == end(stands)


def test_it_begins_once(anchor: Anchor) -> None:
    anchor.move(end(7), digest_at)
    anchor.begin()
    assert Anchor(anchor.path, KEY).read() == end(7)


def test_movers_at_once_leave_the_last(anchor: Anchor) -> None:
    others = [Anchor(anchor.path, KEY) for _ in range(8)]
    numbers = random.Random(7).sample(range(1, 201), 200)
    seen: list[int] = []

    def move(n: int) -> None:
        before = anchor.read().number
        others[n % 8].move(end(n), digest_at)
        seen.append(anchor.read().number - max(before, n))

    with ThreadPoolExecutor(8) as movers:
        list(movers.map(move, numbers))
    assert anchor.read() == end(200)
    assert min(seen) >= 0
    assert sorted(path.name for path in anchor.path.parent.iterdir()) == ["anchor.json", "anchor.json.lock"]


def test_one_that_names_what_is_not_there_stays(anchor: Anchor) -> None:
    anchor.move(ChainEnd(5, "of an entry that was cut off"), digest_at)
    anchor.move(end(9), digest_at)
    assert anchor.read().number == 5
    anchor.move(end(9), lambda _: None)
    assert anchor.read().number == 5


def test_another_key_neither_reads_nor_moves_it(anchor: Anchor) -> None:
    other = Anchor(anchor.path, b"other")
    other.move(end(3), digest_at)
    assert anchor.read() == START
    with pytest.raises(AnchorDamaged, match="was changed, or the key is another one"):
        other.read()

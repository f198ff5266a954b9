"""How a message names a signal."""

from collections.abc import Mapping, Sequence
from typing import Final

from forewarn.domain.assets import Signal

_MOST_ASSETS: Final = 20_000


class _Known(dict[str, int]):
    """What one asset's messages call our signals; 0 for what is none. Only what exists is remembered, so that nonsense
    takes no memory."""

    def __init__(self, asset: str, ids: Mapping[str, int], addresses: Mapping[str, int]) -> None:
        super().__init__()
        self._asset, self._ids, self._addresses = asset, ids, addresses

    def __missing__(self, name: str) -> int:
        key = (
            self._ids.get(name)
            or self._ids.get(f"{self._asset}.{name}")
            or self._addresses.get(f"{self._asset}:{name}")
            or self._addresses.get(name)
            or 0
        )
        if key:
            self[name] = key
        return key


class Names:
    """Knows the source's signals by id, by `<asset>.<name>`, by address `<asset>:<name>` and by plain address."""

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._ids = {signal.id: signal.key for signal in signals}
        self._addresses = {signal.address: signal.key for signal in signals if signal.address}
        self._of: dict[str, _Known] = {}

    def of(self, asset: str) -> Mapping[str, int]:
        """name -> key, 0 for what is no signal of this source. (To be asked by [], not by get.)"""
        known = self._of.get(asset)
        if known is None:
            if len(self._of) >= _MOST_ASSETS:
                self._of.clear()
            known = self._of[asset] = _Known(asset, self._ids, self._addresses)
        return known


class FoundNames(Names):
    """For looking around: whatever is named gets a key, `most` names at most. found: key -> (asset, name)."""

    def __init__(self, most: int) -> None:
        super().__init__(())
        self._most = most
        self._all: dict[str, _Finding] = {}
        self.found: dict[int, tuple[str, str]] = {}

    def of(self, asset: str) -> Mapping[str, int]:
        if asset not in self._all:
            self._all[asset] = _Finding(asset, self.found, self._most)
        return self._all[asset]


class _Finding(dict[str, int]):
    def __init__(self, asset: str, found: dict[int, tuple[str, str]], most: int) -> None:
        super().__init__()
        self._asset, self._found, self._most = asset, found, most

    def __missing__(self, name: str) -> int:
        if len(self._found) >= self._most:
            return 0
        key = self[name] = len(self._found) + 1
        self._found[key] = self._asset, name
        return key

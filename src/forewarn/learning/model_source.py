"""Where the models in use come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from forewarn.learning.machine_model import MachineModel


@dataclass(frozen=True, slots=True)
class Refusal:
    """kind: a word for it (`truncated`, `unknown_key`, ...); text: what is wrong and what to do."""

    kind: str
    text: str


class ModelSource(Protocol):
    """Swapped as a whole when a model is trained, promoted or rolled back."""

    @property
    def revision(self) -> int:
        """Cheap; asked for at every batch."""
        ...

    def models(self) -> Sequence[MachineModel]:
        """One a machine at the most."""
        ...

    def refused(self) -> Mapping[str, Refusal]:
        """By asset id: what there is of a model cannot be used."""
        ...

"""Trained models by version: what was learned of one machine, from what, how well, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ModelState(StrEnum):
    """CANDIDATE: trained. SHADOW: scores beside the champion, nobody hears of it. CANARY: acts on a share of the
    machines of its rollout. CHAMPION: acts. RETIRED: another took its place. ROLLED_BACK: it misbehaved."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    CANARY = "canary"
    CHAMPION = "champion"
    RETIRED = "retired"
    ROLLED_BACK = "rolled_back"

    @classmethod
    def _missing_(cls, value: object) -> "ModelState | None":
        """A newer site may know more of them; one that we do not know acts on nothing."""
        return cls.RETIRED if isinstance(value, str) else None


class ArtifactFault(StrEnum):
    """Why a model's file is refused; the text is part of the API and of findings.

    TRUNCATED: shorter than it says. DAMAGED: its bytes are not those that were signed. POISONED: what it holds is not
    what a model may hold. UNKNOWN_KEY: signed by nobody whom we trust. WRONG_SIGNATURE: that key did not sign it."""

    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    POISONED = "poisoned"
    TOO_LARGE = "too_large"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SIGNATURE = "wrong_signature"


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end), microseconds UTC."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """What it took. seconds: by the clock. processor_seconds: of all cores together. peak_bytes: resident memory."""

    seconds: float
    processor_seconds: float | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class SharedLearning:
    """What a model has from its template. detectors: whose costly part was learned once for all. machines: from how
    many it was learned; spans, rows: of their healthy past. seconds: it took, for all of them."""

    template: str
    detectors: tuple[str, ...]
    machines: int
    spans: int
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a person must know before trusting it.

    trained: spans of healthy data; rows: of the grid that were learned from. metrics, baseline: by name, on the same
    data that the model had not seen; baseline: of the champion then, or of what needs no sensor. settings: of the
    detectors and of the training, JSON values. config_hash: of the plant's part that it was trained under. notes: what
    is unfair, missing or left out, a sentence each. left_out: why a signal takes no part, by id. regimes: rows of each
    way in which the machine was run; 0 where they are too few to judge it. shifts, baseline_shifts: by signal, the
    smallest lasting shift that is found in nine of ten rows, in healthy spreads; None: none is. shared: what was
    learned together with machines of its template; None: nothing.
    """

    trained: tuple[Span, ...]
    rows: int
    signals: tuple[str, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    baseline_of: str = ""
    cost: TrainingCost | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    software: str = ""
    config_hash: str = ""
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    regimes: tuple[int, ...] = ()
    shifts: Mapping[str, float | None] = field(default_factory=dict)
    baseline_shifts: Mapping[str, float | None] = field(default_factory=dict)
    shared: SharedLearning | None = None


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """id: SHA-256 of the artifact's payload, 64 hexadecimal digits: the same content is the same version. template: the
    machine's. detectors: names. created_at, state_since: microseconds UTC. size: bytes of the signed artifact.
    signed_by: public key, 64 hexadecimal digits. reason: why it was taken back, or is not rolled out. bytes_deleted_at:
    its artifact is here no more since then; None: it is."""

    id: str
    asset_id: str
    template: str
    detectors: tuple[str, ...]
    created_at: int
    card: ModelCard
    signed_by: str
    size: int
    state: ModelState = ModelState.CANDIDATE
    state_since: int = 0
    reason: str = ""
    bytes_deleted_at: int | None = None

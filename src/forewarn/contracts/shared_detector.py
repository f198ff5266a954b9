"""A trained detector whose costly part may be learned once, from many machines alike, and then serve each of them."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from forewarn.contracts.trained_detector import Matrix, Parameters, TrainedDetector


@runtime_checkable
class SharedDetector(TrainedDetector, Protocol):
    """Optional beside TrainedDetector: who has these three methods is learned per template where a job of training
    has several machines of one. The machines' columns mean the same in the same order; units and levels are each
    machine's own.

    Laws (tests/conformance/test_shared_detectors.py): a sample is bounded by `share`, however long the past; another
    unit changes no sample; the order of the samples changes nothing; the same seed gives the same part; a machine
    without any sample in it may be calibrated; what `calibrate` gives is what `fit` gives, for `prepare` to take; too
    little is refused by name; nothing given is changed; samples and parts are plain arrays.
    """

    def sample(self, healthy: Matrix, share: float = 1.0) -> Parameters:
        """What `fit_shared` learns of one machine, evenly over its rows. share: of what one fit may hold, 0-1, as many
        machines together hold no more than one alone. Raises NotEnoughData."""
        ...

    def fit_shared(self, samples: Sequence[Parameters], seed: int = 0) -> Parameters:
        """The part that all machines share. Raises NotEnoughData, InvalidInput for samples that do not go together,
        ConfigurationError where a library is missing."""
        ...

    def calibrate(self, part: Parameters, healthy: Matrix) -> Parameters:
        """The shared part with this machine's own scaling. Raises NotEnoughData, InvalidInput."""
        ...

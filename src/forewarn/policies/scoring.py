"""The one scale of scores: 0.5 is the detector's own limit."""

import numpy as np
from numpy.typing import NDArray


def ratio_score(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score of `ratio` = measured / limit >= 0: r / (1 + r), so 0.5 at the limit, 0.67 at twice, 0.8 at four times
    the limit, below 1 always. NaN stays NaN."""
    finite = np.minimum(ratio, 1e9)
    return finite / (1.0 + finite)

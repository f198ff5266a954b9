"""What `forewarn evaluate` can measure on."""

from enum import StrEnum


class Dataset(StrEnum):
    SKAB = "skab"
    NAB = "nab"
    TEP = "tep"
    SIMULATOR = "simulator"

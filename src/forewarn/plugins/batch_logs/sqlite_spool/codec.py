"""The columns of a batch as an Arrow IPC stream and back: what both Arrow libraries must do alike."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch

NAMES: Final = ("signal", "time", "value", "quality")


class Unreadable(ValueError):
    """The bytes are not an Arrow IPC stream of the four columns."""


class FrameCodec(Protocol):
    """Each reads what the other wrote: one record batch, lz4; int32, int64, float64, uint32 in the order of NAMES."""

    def body(self, batch: ReadingBatch) -> Any:
        """The stream as something bytes-like."""
        ...

    def columns(self, body: bytes) -> Sequence[NDArray[Any]]:
        """The four columns. `body` must be what body() made once, checked by their CRC: of bytes that are merely
        like it a library may raise Unreadable, return nonsense or end the process. Raises Unreadable."""
        ...


def choose() -> FrameCodec:
    """pyarrow where it is installed (a site), else arro3, a fifth of its size (a gateway)."""
    for candidate in (_pyarrow, _arro3):
        try:
            return candidate()
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(
        "the batch log needs pyarrow, or arro3-core and arro3-io: "
        "pip install 'forewarn[platform]' or 'forewarn[gateway]'"
    )


def _pyarrow() -> FrameCodec:
    from forewarn.plugins.batch_logs.sqlite_spool.codec_pyarrow import PyarrowCodec

    return PyarrowCodec()


def _arro3() -> FrameCodec:
    from forewarn.plugins.batch_logs.sqlite_spool.codec_arro3 import Arro3Codec

    return Arro3Codec()

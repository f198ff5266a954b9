"""Where standby partners leave their lease for each other while the site is away."""

from typing import Protocol


class LeaseBroker(Protocol):
    """One retained text per group; used by one event loop."""

    async def run(self) -> None:
        """Keep the connection until cancelled; comes back by itself when it is lost."""
        ...

    @property
    def connected(self) -> bool: ...

    def current(self) -> bytes | None:
        """The newest text that anybody left, also this process; None where there is none."""
        ...

    async def leave(self, text: bytes) -> None:
        """Returns once the broker has it. Raises SourceUnreachable."""
        ...

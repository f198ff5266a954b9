"""Where jobs are kept while processes come and go."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from forewarn.domain.access import Scope
from forewarn.domain.audit import Deed
from forewarn.domain.jobs import Attempts, Job, JobItem


class JobStore(Protocol):
    """A job is held by one process at a time, for as long as it renews its lease; whose lease ran out is dead, and
    another may go on. Durable on return. Times: microseconds UTC."""

    def within(self, scope: Scope) -> "JobStore":
        """The same store, in which machines outside `scope` do not exist, nor jobs of such machines alone."""
        ...

    def add(self, job: Job, deed: Deed | None = None) -> Job:
        """A machine is in one open job at most of what the site asks for by itself (`by` is OWN): it is left out of
        such a job where it is in another, and taken out of it, unless it was done, when a person asks for it. Raises
        NotFound for a machine that the plant does not have, InvalidInput for a job without machines, Conflict where
        nothing is left of it."""
        ...

    def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        ...

    def find(self, kind: str | None = None, limit: int = 100) -> Sequence[Job]:
        """Newest first."""
        ...

    def attempts(self, kind: str, since: int) -> Mapping[str, Attempts]:
        """By asset id, of jobs asked for at `since` or later."""
        ...

    def claim(self, kind: str, owner: str, until: int, job_id: str | None = None) -> Job | None:
        """The oldest job (or this one) that nobody holds, held by `owner` until then; None where there is none. What
        people ask for comes first."""
        ...

    def gives_way(self, owner: str) -> bool:
        """Whether what `owner` holds was asked for by the site itself, and a person's job waits."""
        ...

    def renew(self, job_id: str, owner: str, until: int) -> bool:
        """False: it was cancelled, or another holds it: let go."""
        ...

    def told(self, job_id: str, owner: str, item: JobItem) -> bool:
        """What became of one machine; the last word on it. False and nothing is kept where `owner` does not hold the
        job."""
        ...

    def at(self, job_id: str, owner: str, phase: str) -> bool:
        """What is done now, in words; False and nothing is kept where `owner` does not hold the job."""
        ...

    def finish(self, job_id: str, owner: str) -> Job:
        """Done, unless it was cancelled. Raises NotFound."""
        ...

    def cancel(self, job_id: str, deed: Deed) -> Job:
        """What is under way may still end; nothing more is begun. Raises NotFound, Conflict (it has ended)."""
        ...

"""What the disk says to somebody who wants to write."""

import errno
import resource
import signal
from pathlib import Path

from forewarn.kit.disk import write_refusal


def test_a_disk_that_takes_it_keeps_nothing_of_it(tmp_path: Path) -> None:
    assert write_refusal(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_has_its_number(tmp_path: Path) -> None:
    assert write_refusal(tmp_path / "not" / "there") == errno.ENOENT
    before, (soft, hard) = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_024, hard))
    try:
        assert write_refusal(tmp_path) == errno.EFBIG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert list(tmp_path.iterdir()) == []

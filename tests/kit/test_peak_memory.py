"""What a process took itself, however big the one was that started it."""

import subprocess
import sys
from pathlib import Path

from forewarn.kit.peak_memory import peak_bytes

_CHILD = "from forewarn.kit.peak_memory import peak_bytes; print(peak_bytes())"
_PARENT = f"import subprocess, sys; held = b'x' * 300_000_000; subprocess.run([sys.executable, '-c', {_CHILD!r}])"


def test_a_child_of_a_big_process_tells_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", _PARENT], capture_output=True, text=True, timeout=60, check=True)
    assert 1_000_000 < int(done.stdout) < 150_000_000


def test_it_grows_with_what_is_held() -> None:
    before = peak_bytes()
    held = b"x" * (before + 50_000_000)
    assert peak_bytes() > len(held)


def test_where_nothing_says_so_getrusage_does(tmp_path: Path) -> None:
    odd = tmp_path / "status"
    odd.write_text("VmHWM:\n")
    assert peak_bytes(odd) > 1_000_000
    assert peak_bytes(tmp_path / "none") > 1_000_000

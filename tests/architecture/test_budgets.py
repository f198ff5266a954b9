"""Size budgets of DESIGN, names that say nothing, and what may not lie in the tree."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted((ROOT / "src").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))
VAGUE = {"utils", "helpers", "manager", "base", "common", "misc"}


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", PYTHON, ids=lambda p: str(p.relative_to(ROOT)))
def test_python_size_budget(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400, "a file over 400 lines is two things"
    long = [
        f"{node.name} ({_body_lines(node)} lines)"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _body_lines(node) > 50
    ]
    assert not long, f"functions over 50 lines: {long}"


def test_contracts_fit_on_one_screen() -> None:
    long = {
        p.name: n for p in (ROOT / "src/forewarn/contracts").glob("*.py") if (n := len(p.read_text().splitlines())) > 80
    }
    assert not long


def test_tsx_size_budget() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in _tracked()
        if p.suffix in {".ts", ".tsx"} and "web/src" in p.as_posix() and "src/api/" not in p.as_posix()
        if (n := len(p.read_text().splitlines())) > 250
    }
    assert not long


def test_no_vague_module_names() -> None:
    assert not [p for p in PYTHON if p.stem in VAGUE]


def test_no_download_addresses_in_lock_files() -> None:
    # npm's lock also carries funding pages of the packages; those are not where a package comes from.
    pattern = re.compile(r'"resolved":|index-url|find-links|https?://[^"]*(registry|files\.|\.tgz|\.whl|\.tar)')
    locks = [p for p in _tracked() if p.name in {"constraints.txt", "package-lock.json", ".npmrc"}]
    assert locks
    lines = [(p, n, line) for p in locks for n, line in enumerate(p.read_text().splitlines(), 1)]
    assert not [f"{p.relative_to(ROOT)}:{n}" for p, n, line in lines if pattern.search(line)]


def test_no_machine_paths() -> None:
    home = str(Path.home()) + "/"
    checkout = str(ROOT.parent) + "/"
    hits = []
    for path in _tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        hits += [str(path.relative_to(ROOT)) for needle in (home, checkout) if len(needle) > 2 and needle in text]
    assert not hits

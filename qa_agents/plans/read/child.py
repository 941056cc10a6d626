"""The process that reads hostile files: it holds no credentials, opens no network, and dies alone when a limit is reached.

Protocol: one JSON line of limits and file names in, then the bytes of each file; one JSON line per file out, in order, each
either `{"parsed": …}` or `{"error": sentence, "hint": sentence}`. A line that is missing means that the process died there.
"""

import json
import socket
import sys

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parse import parse


def main() -> int:
    """Read what stands on standard input; 0 when every file got its line."""
    header = json.loads(sys.stdin.buffer.readline())
    limits = Limits(**header["limits"])
    files = [(item["name"], sys.stdin.buffer.read(item["size"])) for item in header["files"]]
    limit_this_process(limits)
    for name, data in files:
        sys.stdout.write(json.dumps(answer(name, data, limits)) + "\n")
        sys.stdout.flush()
    return 0


def answer(name: str, data: bytes, limits: Limits) -> dict[str, object]:
    """What the parent gets to know about one file."""
    try:
        return {"parsed": parse(name, data, limits).as_json()}
    except InvalidInputError as error:
        return {"error": error.message, "hint": error.hint}
    except MemoryError:
        return {"error": "The file needs more memory than it is allowed.", "hint": ""}
    except Exception as error:  # a crafted file may raise anything inside a parser; its name is all that is told
        return {"error": f"The file is damaged: {type(error).__name__}.", "hint": ""}


def limit_this_process(limits: Limits) -> None:
    """Set what the kernel enforces, and take the network away; where the system has no such limits, time alone bounds it."""

    def refused(*arguments: object, **more: object) -> None:
        raise OSError("no network here")

    socket.socket.connect = refused  # type: ignore[method-assign]
    socket.create_connection = refused  # type: ignore[assignment]
    try:
        import resource
    except ModuleNotFoundError:
        return
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    sys.exit(main())

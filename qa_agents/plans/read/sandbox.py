"""Runs the reading process and turns whatever becomes of it into documents or one clear sentence."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parsed import Parsed


def parse_apart(files: Sequence[tuple[str, bytes]], limits: Limits) -> list[Parsed]:
    """The files, parsed in one child process; raises InvalidInputError naming the first that could not be read."""
    header = {"limits": limits.as_json(), "files": [{"name": name, "size": len(data)} for name, data in files]}
    sent = json.dumps(header).encode() + b"\n" + b"".join(data for _, data in files)
    process = subprocess.Popen(
        [sys.executable, "-m", "qa_agents.plans.read.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONIOENCODING": "utf-8"},
    )
    try:
        out, _ = process.communicate(sent, timeout=limits.seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return _answers(files, out, limits)


def _answers(files: Sequence[tuple[str, bytes]], out: bytes, limits: Limits) -> list[Parsed]:
    answers = out.split(b"\n")[:-1]  # what follows the last line end is empty, or a line that was cut off
    parsed: list[Parsed] = []
    for number, (name, _) in enumerate(files):
        if number >= len(answers):
            raise InvalidInputError(
                f"{name} could not be read within {limits.seconds:g} seconds and "
                f"{limits.memory_bytes // 1_000_000} MB.",
                hint="Save it anew, split it, or export it as text.",
            )
        answer = json.loads(answers[number])
        if "error" in answer:
            raise InvalidInputError(f"{name}: {answer['error']}", hint=answer.get("hint", ""))
        parsed.append(Parsed.from_json(answer["parsed"]))
    return parsed

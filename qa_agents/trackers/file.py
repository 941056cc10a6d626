"""A tracker without a server: a folder with one JSON file per issue, its history inside."""

import json
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from filelock import FileLock, Timeout

from qa_agents.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.changes import ISSUE_PARTS, change, new_issue
from qa_agents.trackers.schema import Action, Applied, Issue

MAX_NAME_BYTES = 180
LOCK_SECONDS = 15


class FileTracker:
    """Issues as `<folder>/<key>.json`, written atomically; two processes may share the folder."""

    name = "file"

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = folder
        self._now = now

    def get(self, key: str) -> Issue | None:
        """The issue as its file holds it, or None. Raises InvalidInputError when the file is damaged."""
        record = self._load(key)
        return None if record is None else _issue(key, record)

    def stored_keys(self) -> list[str]:
        """Keys of the issues in the folder, sorted; a file whose name says no key is passed over."""
        named = [(unquote(path.stem), path) for path in self._folder.glob("*.json")]
        return sorted(name for name, path in named if self._path(name) == path)

    def apply(self, action: Action, idempotency_key: str) -> Applied:
        """Change the issue's file once per key; the history inside it remembers which keys were applied."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / ".lock", timeout=LOCK_SECONDS):
                return self._apply_locked(action, idempotency_key)
        except Timeout:
            raise UnavailableError(
                f"The tracker folder {self._folder} stays locked by another process.", hint="Repeat in a moment."
            ) from None
        except OSError as error:
            raise UnavailableError(
                f"The tracker folder {self._folder} cannot be written ({error.strerror}).",
                hint="Free space or make it writable; the action stays planned and is repeated by `qa-agents recover`.",
            ) from None

    def was_applied(self, key: str, idempotency_key: str) -> bool:
        """Whether the issue's history names this change."""
        record = self._load(key)
        return record is not None and any(done["key"] == idempotency_key for done in record["history"])

    def _apply_locked(self, action: Action, idempotency_key: str) -> Applied:
        record = self._load(action.target)
        for done in record["history"] if record else ():
            if done["key"] == idempotency_key:
                return Applied.model_validate({**done, "already_there": True})
        if record is None and action.kind != "create_issue":
            raise NotFoundError(f"The issue {action.target} is not in the file tracker.")
        issue = {name: record[name] for name in ISSUE_PARTS} if record else None
        changed, applied = change(action, issue)
        history = record["history"] if record else []
        history.append(
            {
                "at": self._now().isoformat(),
                "key": idempotency_key,
                "kind": action.kind,
                "params": action.params,
                "because": action.because,
                **applied.model_dump(mode="json", include={"before", "after", "inverse"}),
            }
        )
        self._store(action.target, {"key": action.target, **changed, "history": history})
        return applied

    def _path(self, key: str) -> Path:
        """A file name that stays inside the folder, whatever the key holds."""
        name = quote(key, safe=" ").replace(".", "%2E")
        if len(name) > MAX_NAME_BYTES:
            name = f"{name[:80]}-{digest_of(key)[:16]}"
        return self._folder / f"{name}.json"

    def _load(self, key: str) -> dict[str, Any] | None:
        path = self._path(key)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise InvalidInputError(f"The issue file {path} cannot be read ({error}).", hint="Repair it.") from None
        if not isinstance(record, dict) or record.get("key") != key:
            raise ConflictError(f"{path} holds another issue than {key}.", hint="Rename or repair the file.")
        return {**new_issue(), "history": [], **record}

    def _store(self, key: str, record: dict[str, Any]) -> None:
        path = self._path(key)
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".writing-", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(record, file, indent=2, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(self._folder)


def _issue(key: str, record: dict[str, Any]) -> Issue:
    shown = {name: record[name] for name in ISSUE_PARTS}
    return Issue(key=key, version=digest_of(shown)[:16], **shown)


def _sync_folder(folder: Path) -> None:
    """Put the rename itself on disk (POSIX; elsewhere a folder cannot be opened)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

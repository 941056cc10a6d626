"""Every error a user can meet, in one tree: what happened, what to do next, and the exit code.

    QAAgentsError                 exit 2
    ├── UsageError                2  the command or its arguments make no sense
    ├── InvalidInputError         2  a report, incident, file or setting cannot be read
    ├── NotFoundError             2  no such report, review, incident or file
    │   └── ErasedError           2  it was there, and was erased on request
    ├── ConflictError             2  the thing changed or was already decided
    ├── NotAllowedError           2  this person may not do this
    ├── FindingsError             1  the command worked and found something a person must look at
    └── UnavailableError          3  something needed is missing, locked, full or down
        ├── StorageError          3
        ├── EgressError           3
        ├── StoppedError          3
        ├── WorkspaceBusyError    3
        └── EmbedderError         3

Adapters map foreign exceptions (SQLAlchemy, Chroma, OpenAI, onnxruntime, Jira) into this tree; the CLI prints `str(error)` and
exits with `exit_code`, never with a traceback.
"""


class QAAgentsError(Exception):
    """Something went wrong that the user can act on.

    `message` says what happened, `hint` what to do next; both are one sentence.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(QAAgentsError):
    """The command or its arguments make no sense together."""


class InvalidInputError(QAAgentsError):
    """A report, an incident, a file or a setting cannot be read as what it should be."""


class NotFoundError(QAAgentsError):
    """No such report, review, incident or file."""


class ErasedError(NotFoundError):
    """It was there and was erased on request; the ledger says by whom, when and why."""


class ConflictError(QAAgentsError):
    """The thing changed since it was read, or was already decided."""


class NotAllowedError(QAAgentsError):
    """This person may not do this, or could not be recognised as who they say they are."""


class FindingsError(QAAgentsError):
    """The command worked and found something a person must look at."""

    exit_code = 1


class UnavailableError(QAAgentsError):
    """Something this command needs is missing, locked, full or down."""

    exit_code = 3


class StorageError(UnavailableError):
    """The database could not be read or written."""


class EgressError(UnavailableError):
    """A connection to an address that the settings do not name was refused."""


class StoppedError(UnavailableError):
    """Outside effects are stopped by a person; nothing failed, and it goes on after `qa-agents resume`."""


class WorkspaceBusyError(UnavailableError):
    """Another process owns the workspace's vector index."""


class EmbedderError(UnavailableError):
    """The embedder is missing, damaged or unreachable."""

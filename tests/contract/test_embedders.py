"""What every embedder promises, checked on all of them; the OpenAI-compatible one talks to a real server on this machine."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from qa_agents.errors import EmbedderError
from qa_agents.incidents.embedders import CachedEmbedder, Embedder, OpenAICompatible
from qa_agents.incidents.minilm import MiniLM, packaged_folder
from qa_agents.testing.embedder import HashingEmbedder


class EmbeddingServer(ThreadingHTTPServer):
    """Speaks /v1/embeddings; `answer` can be replaced to misbehave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.answer: Callable[[list[str]], tuple[int, bytes]] = well
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: EmbeddingServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self.server.keys.append(self.headers["Authorization"])
        status, answer = self.server.answer(body["input"]) if self.path == "/v1/embeddings" else (404, b"{}")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


def answered(vectors: list[list[float]]) -> tuple[int, bytes]:
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return 200, json.dumps({"object": "list", "model": "m", "data": data, "usage": usage}).encode()


def well(texts: list[str]) -> tuple[int, bytes]:
    # Vectors of length 2: unit length is the client's promise, not the server's.
    return answered((2 * HashingEmbedder().embed(texts)).tolist())


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM(packaged_folder(), threads=1)


@pytest.fixture(params=["hashing", "cached", "minilm", "openai"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    if request.param == "minilm":
        return request.getfixturevalue("minilm")
    if request.param == "openai":
        return OpenAICompatible("a-model", request.getfixturevalue("server").url)
    return CachedEmbedder(HashingEmbedder()) if request.param == "cached" else HashingEmbedder()


TEXTS = ["the cart crashes", "login fails", "the cart crashes", "", "注文ページ 🚀", "x" * 5_000, "NUL \x00 and \ud800"]


def test_each_text_gets_a_unit_vector_in_order(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] @ vectors[2] == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] @ vectors[1] < 0.9


def test_a_text_has_the_same_vector_in_any_company(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    assert together == pytest.approx(alone, abs=1e-6)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_the_fingerprint_is_a_stable_name(embedder: Embedder) -> None:
    before = embedder.fingerprint
    embedder.embed(["text"])
    assert embedder.fingerprint == before
    assert before.isprintable()


def test_the_fingerprints_of_different_embedders_differ(minilm: MiniLM) -> None:
    names = {
        HashingEmbedder().fingerprint,
        HashingEmbedder(dimension=8).fingerprint,
        minilm.fingerprint,
        OpenAICompatible("a", "http://127.0.0.1:1/v1").fingerprint,
        OpenAICompatible("b", "http://127.0.0.1:1/v1").fingerprint,
        OpenAICompatible("a", "http://127.0.0.1:2/v1").fingerprint,
        OpenAICompatible("a", api_key=SecretStr("k")).fingerprint,
    }
    assert len(names) == 7


def test_minilm_finds_the_paraphrase(minilm: MiniLM) -> None:
    asked, same, other = minilm.embed(["cannot sign in", "login does not work", "the invoice total is rounded wrongly"])
    assert asked @ same > 0.4 > asked @ other


def test_the_server_is_asked_for_the_model_with_the_key(server: EmbeddingServer) -> None:
    OpenAICompatible("a-model", server.url, SecretStr("s3cret")).embed(["one", "two"])
    assert server.requests[0]["model"] == "a-model"
    assert server.requests[0]["input"] == ["one", "two"]
    assert server.keys == ["Bearer s3cret"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda texts: (401, b'{"error": {"message": "bad key"}}'),
        lambda texts: (404, b"{}"),
        lambda texts: (429, b'{"error": {"message": "slow down"}}'),
        lambda texts: (500, b"oops"),
        lambda texts: (200, b"not json"),
        lambda texts: (200, b"{}"),
        lambda texts: (200, b'{"data": []}'),
        lambda texts: answered([]),
        lambda texts: answered([[0.0, 0.0]]),
        lambda texts: answered([[1.0], [1.0]]),
        lambda texts: (200, b'{"data": [{"embedding": [NaN, 1.0], "index": 0, "object": "embedding"}]}'),
        lambda texts: (200, b'{"data": [{"embedding": ["a"], "index": 0, "object": "embedding"}]}'),
    ],
)  # fmt: skip
def test_a_server_that_misbehaves_is_an_embedder_error(server: EmbeddingServer, answer: Any) -> None:
    server.answer = answer
    with pytest.raises(EmbedderError) as caught:
        OpenAICompatible("a-model", server.url, SecretStr("s3cret")).embed(["text"])
    assert caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_no_server_is_an_embedder_error() -> None:
    with pytest.raises(EmbedderError):
        OpenAICompatible("a-model", "http://127.0.0.1:9/v1").embed(["text"])


def test_neither_key_nor_server_is_said_at_once() -> None:
    with pytest.raises(EmbedderError, match="neither a key nor a server"):
        OpenAICompatible("a-model")

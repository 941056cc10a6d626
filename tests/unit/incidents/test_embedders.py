import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from qa_agents.errors import EmbedderError
from qa_agents.incidents import minilm
from qa_agents.incidents.embedders import (
    EMBEDDED_CHARS,
    CachedEmbedder,
    OpenAICompatible,
    build_embedder,
    text_for_embedding,
)
from qa_agents.incidents.minilm import MINILM_FILES, MiniLM, check_files, packaged_folder
from qa_agents.incidents.schema import Report
from qa_agents.settings import Settings
from qa_agents.testing.embedder import HashingEmbedder


def test_the_embedded_text_is_the_summary_and_the_lines_that_say_something() -> None:
    report = Report(id="1", summary=" Cart crashes ", description="\n  on save \n\n\t\nsince 7.0\n")
    assert text_for_embedding(report) == "Cart crashes\non save\nsince 7.0"


@pytest.mark.parametrize("field", ["summary", "description"])
def test_the_embedded_text_is_cut(field: str) -> None:
    text = text_for_embedding(Report(id="1", **{field: "word " * 100_000}))
    assert EMBEDDED_CHARS - 5 < len(text) <= EMBEDDED_CHARS


def test_a_report_that_says_nothing_has_nothing_to_embed() -> None:
    assert text_for_embedding(Report(id="1", summary=" ", description="\n\n")) == ""


def test_a_recent_text_is_computed_once() -> None:
    inner = HashingEmbedder()
    cached = CachedEmbedder(inner)
    first = cached.embed(["a", "b", "a"])
    again = cached.embed(["b", "c", "a"])
    assert inner.calls == ["a", "b", "c"]
    assert np.array_equal(first[[1, 0]], again[[0, 2]])


def test_only_so_many_texts_are_remembered() -> None:
    inner = HashingEmbedder()
    cached = CachedEmbedder(inner, size=2)
    cached.embed(["a", "b", "c"])
    cached.embed(["b", "c"])
    cached.embed(["a"])
    assert inner.calls == ["a", "b", "c", "a"]


def test_the_settings_choose_the_embedder(tmp_path: Path) -> None:
    key = SecretStr("k")
    assert build_embedder(Settings(home=tmp_path, embedder="none")) is None
    made = build_embedder(Settings(home=tmp_path, embedder="openai", embedder_model="m", openai_api_key=key))
    assert made is not None
    assert made.fingerprint == OpenAICompatible("m", api_key=key).fingerprint
    offline = build_embedder(Settings(home=tmp_path))
    assert offline is not None
    assert offline.fingerprint == MiniLM(packaged_folder()).fingerprint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_same_files_serves_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "onnx").mkdir(parents=True)
    for name in MINILM_FILES:
        (folder / name).symlink_to(packaged_folder() / name)
    check_files(folder)


def damaged_copy(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "onnx").mkdir(parents=True)
    for name in MINILM_FILES:
        (folder / name).write_bytes(b"not a model")
    return folder


def test_a_damaged_file_is_named_and_never_loaded(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"model\.onnx is damaged"):
        MiniLM(damaged_copy(tmp_path)).embed(["text"])


@pytest.mark.parametrize("name", sorted(MINILM_FILES))
def test_a_missing_file_is_an_embedder_error(tmp_path: Path, name: str) -> None:
    folder = damaged_copy(tmp_path)
    (folder / name).unlink()
    with pytest.raises(EmbedderError, match="cannot be read"):
        MiniLM(folder).embed(["text"])


def test_files_found_right_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks, hashed = tmp_path / "home" / "embedder.json", []
    digest = minilm.hashlib.file_digest
    monkeypatch.setattr(minilm.hashlib, "file_digest", lambda *args: hashed.append(1) or digest(*args))
    check_files(packaged_folder(), checks)
    check_files(packaged_folder(), checks)
    assert len(hashed) == len(MINILM_FILES)
    checks.write_text("{}")
    check_files(packaged_folder(), checks)
    assert len(hashed) == 2 * len(MINILM_FILES)


def test_files_that_changed_are_checked_again(tmp_path: Path) -> None:
    folder, checks = tmp_path / "model", tmp_path / "embedder.json"
    shutil.copytree(packaged_folder(), folder)
    check_files(folder, checks)
    (folder / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(EmbedderError, match=r"tokenizer\.json is damaged"):
        check_files(folder, checks)


def test_a_check_that_cannot_be_remembered_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    check_files(packaged_folder(), tmp_path / "file" / "embedder.json")


def test_without_the_data_package_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise minilm.PackageNotFoundError(name)

    monkeypatch.setattr(minilm, "distribution", missing)
    with pytest.raises(EmbedderError, match="embedder_dir"):
        packaged_folder()

"""Suspects: the commits of a real repository between good and bad, those first that touch what the failure names."""

import subprocess
from pathlib import Path

import pytest

from qa_agents.results.checkout import checkout_at
from qa_agents.results.suspects import commits_between, ranked


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, file: str, subject: str) -> str:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(subject)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_the_commit_that_touches_the_innermost_frame_comes_first(repository: Repository) -> None:
    good = repository.commit("README.md", "begin")
    caller = repository.commit("src/api/orders.py", "sort orders")
    guilty = repository.commit("src/core/totals.py", "round differently")
    bad = repository.commit("docs/page.md", "explain")
    between = commits_between(repository.folder, good, bad)
    found = ranked(
        between, ["/home/ci/work/src/api/orders.py", "src/core/totals.py"], ["tests.test_orders::test_total"]
    )
    assert len(between.commits) == 3
    assert [one.commit for one in found[:2]] == [guilty, caller]
    assert "totals.py" in found[0].why
    assert (found[0].author, found[0].subject) == ("Ada", "round differently")


def test_a_change_of_the_test_itself_is_told(repository: Repository) -> None:
    good = repository.commit("README.md", "begin")
    guilty = repository.commit("tests/test_orders.py", "stricter")
    bad = repository.commit("docs/page.md", "explain")
    found = ranked(commits_between(repository.folder, good, bad), [], ["tests.test_orders.TestTotal::test_total"])
    assert found[0].commit == guilty
    assert "where the failing test stands" in found[0].why


def test_of_many_commits_only_those_that_touch_the_failure_are_suspects(repository: Repository) -> None:
    good = repository.commit("README.md", "begin")
    for number in range(8):
        bad = repository.commit(f"other/{number}.txt", f"change {number}")
    assert ranked(commits_between(repository.folder, good, bad), ["src/core/totals.py"], ["t"]) == []


@pytest.mark.parametrize("name", ["--output=/tmp/x", "-n1", "HEAD; rm -rf /", "", "zzzzzzzz", "main"])
def test_a_commit_that_is_no_commit_never_reaches_git(repository: Repository, name: str) -> None:
    good = repository.commit("README.md", "begin")
    found = commits_between(repository.folder, good, name)
    assert found.commits == ()
    assert "do not name their commits" in found.note


def test_what_git_does_not_know_is_said(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> None:
    good = repository.commit("README.md", "begin")
    assert "does not know" in commits_between(repository.folder, good, "f" * 40).note
    assert "did not change" in commits_between(repository.folder, good, good).note
    assert commits_between(tmp_path_factory.mktemp("empty"), good, good).note


def test_a_checkout_knows_its_commit_and_branch(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    commit = repository.commit("a/b.txt", "begin")
    found = checkout_at(repository.folder / "a")
    assert found is not None
    assert (found.commit, found.branch, found.root) == (commit, "main", repository.folder.resolve())
    assert checkout_at(tmp_path_factory.mktemp("plain")) is None

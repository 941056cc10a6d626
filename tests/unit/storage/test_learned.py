from qa_agents.storage.engine import Database
from qa_agents.storage.learned import keep_learned, learned_sha256, load_learned

BOTH_ENGINES = True


def test_a_model_comes_back_with_what_it_was_fitted_on(db: Database) -> None:
    with db.write() as connection:
        sha = keep_learned(connection, "ranker", b"\x00weights", n=20, fingerprint="f")
    with db.read() as connection:
        found = load_learned(connection, "ranker")
        assert found is not None
        assert (found.body, found.sha256, found.about) == (b"\x00weights", sha, {"n": 20, "fingerprint": "f"})
        assert learned_sha256(connection, "ranker") == sha
        assert load_learned(connection, "other") is None
        assert learned_sha256(connection, "other") is None


def test_the_newest_model_replaces_the_last(db: Database) -> None:
    with db.write() as connection:
        old = keep_learned(connection, "ranker", b"old")
        new = keep_learned(connection, "ranker", b"new")
        found = load_learned(connection, "ranker")
    assert found is not None
    assert found.body == b"new"
    assert old != new


def test_keeping_the_same_model_again_keeps_it(db: Database) -> None:
    with db.write() as connection:
        keep_learned(connection, "ranker", b"same", n=1)
        keep_learned(connection, "ranker", b"same", n=2)
        found = load_learned(connection, "ranker")
    assert found is not None
    assert found.about == {"n": 2}

"""What the words of a report and a candidate say about each other, field by field."""

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.bm25f import Numbers
from qa_agents.incidents.pool import Matches, Pool

K1, B = 1.2, 0.75
"""BM25's usual constants (Robertson, Zaragoza 2009), for single fields."""
RARE, SCARCE = 3, 30
"""Terms that so many incidents hold are as good as identifiers; and a little less so."""
SYSTEMS = {
    "android": ("android", "galaxy", "nexus", "logcat"),
    "ios": ("ios", "iphone", "ipad", "ipod", "xcode"),
    "windows": ("windows", "win32"),
    "macos": ("macos", "osx", "mac"),
    "linux": ("linux", "ubuntu"),
    "web": ("mobileweb", "browser", "chrome", "firefox", "safari"),
    "blackberry": ("blackberry",),
}
"""Words that name a system a bug is seen on."""


def lexical_features(pool: Pool) -> dict[str, Numbers]:
    """Per candidate: scores of field against field, rarities shared, coverage; 0 where nothing is shared."""
    matches = pool.matches
    idf = matches.idf
    own_summary, own_body = matches.own_summary > 0, matches.own_body > 0
    in_summary = _saturated(matches.summary, matches.summary_length)
    in_body = _saturated(matches.body, matches.body_length)
    held = (matches.summary > 0) | (matches.body > 0)
    found = {
        "bm25_ratio": pool.ratio,
        "bm25_log": np.log1p(pool.lexical),
        "bm25_to_best": to_best(pool.lexical),
        "bm25_rank": reciprocal_rank(pool.lexical),
        "summary_summary": share(idf * own_summary, in_summary),
        "summary_body": share(idf * own_summary, in_body),
        "body_summary": share(idf * own_body, in_summary),
        "body_body": share(idf * own_body, in_body),
        "plain_bm25": _plain(matches, idf),
        "summary_covered": share(idf * own_summary, held),
        "summary_in_summary": share(idf * own_summary, matches.summary > 0),
        "their_summary_in_summary": _part_of_theirs(matches.summary, own_summary, matches.summary_length),
        "their_summary_covered": _part_of_theirs(matches.summary, own_summary | own_body, matches.summary_length),
        "their_body_covered": _part_of_theirs(matches.body, own_summary | own_body, matches.body_length),
        "cosine_words": _cosine(matches, idf),
        **_rarities(matches, idf, held),
        **_systems(pool),
    }
    for name in ("summary_summary", "cosine_words", "plain_bm25"):
        found[f"{name}_to_best"] = to_best(found[name])
    found["summary_summary_rank"] = reciprocal_rank(found["summary_summary"])
    found["cosine_words_rank"] = reciprocal_rank(found["cosine_words"])
    return found


def to_best(values: Numbers) -> Numbers:
    """Each value's distance to the list's best, 0 or less; NaN stays NaN."""
    return values - np.nanmax(values) if np.isfinite(values).any() else values


def reciprocal_rank(values: Numbers) -> Numbers:
    """1 for the highest value, 1/2 for the next; equal values share the better rank; NaN stays NaN."""
    known = np.where(np.isnan(values), -np.inf, values)
    ranks = np.searchsorted(np.sort(-known), -known, side="left") + 1.0
    reciprocal: Numbers = np.where(np.isnan(values), np.nan, 1.0 / ranks)
    return reciprocal


def _saturated(counts: NDArray[np.uint8], length: Numbers) -> Numbers:
    mean = float(length.mean()) if len(length) else 1.0
    norm = K1 * (1 - B + B * length / max(mean, 1.0))
    tf = counts.astype(np.float64)
    saturated: Numbers = tf * (K1 + 1) / (tf + norm)
    return saturated


def share(weights: Numbers, held: NDArray[np.float64] | NDArray[np.bool_]) -> Numbers:
    """The weighted terms that are held, as a share of all of them."""
    total = float(weights.sum())
    return (weights @ held) / total if total else np.zeros(held.shape[1])


def _plain(matches: Matches, idf: Numbers) -> Numbers:
    counts = matches.summary.astype(np.uint8) + matches.body
    own = np.minimum(matches.own_summary + matches.own_body, 3)
    return share(idf * own, _saturated(counts, matches.summary_length + matches.body_length))


def _part_of_theirs(counts: NDArray[np.uint8], own: NDArray[np.bool_], length: Numbers) -> Numbers:
    return (own.astype(np.float64) @ counts) / np.maximum(length, 1.0)


def _cosine(matches: Matches, idf: Numbers) -> Numbers:
    """TF-IDF product over the report's norm and the square root of the candidate's length, which stands in for its norm."""
    own = idf * np.log1p(3.0 * matches.own_summary + matches.own_body)
    theirs = idf[:, np.newaxis] * np.log1p(3.0 * matches.summary + matches.body)
    norm = float(np.linalg.norm(own)) or 1.0
    cosine: Numbers = (own @ theirs) / (norm * np.sqrt(9.0 * matches.summary_length + matches.body_length + 1.0))
    return cosine


def _rarities(matches: Matches, idf: Numbers, held: NDArray[np.bool_]) -> dict[str, Numbers]:
    rare, scarce = matches.frequency <= RARE, matches.frequency <= SCARCE
    weighted = held * idf[:, np.newaxis]
    if not len(idf):
        nothing = np.zeros(held.shape[1])
        return dict.fromkeys(("rare_shared", "scarce_shared", "rarest_shared", "rarest_three", "terms_shared"), nothing)
    top = -np.sort(-weighted, axis=0)[:3]
    return {
        "rare_shared": (idf * rare) @ held,
        "scarce_shared": (idf * scarce) @ held,
        "rarest_shared": top[0],
        "rarest_three": top.sum(axis=0),
        "terms_shared": held.sum(axis=0).astype(np.float64),
    }


def _systems(pool: Pool) -> dict[str, Numbers]:
    """Systems named in the summaries: shared, and named by one side where the other names another."""
    own = systems_of(pool.report.summary)
    theirs = [systems_of(incident.summary) for incident in pool.incidents]
    return {
        "systems_shared": np.array([float(len(own & one)) for one in theirs]),
        "systems_differ": np.array([float(bool(own and one and not own & one)) for one in theirs]),
        "systems_extra": np.array([float(len(one - own)) for one in theirs]),
    }


def systems_of(text: str) -> set[str]:
    """The systems a line of text names."""
    words = set(text[:400].casefold().replace("/", " ").replace(",", " ").replace(":", " ").replace("]", " ")
                .replace("[", " ").replace("(", " ").replace(")", " ").replace("-", " ").split())  # fmt: skip
    return {system for system, names in SYSTEMS.items() if not words.isdisjoint(names)}

"""The plain alternatives: what a user would have written in an afternoon, given the same texts and vectors.

bm25_scan, chroma_topk    with the usual libraries, as they are timed in the speed suite
texts                     BM25, TF-IDF cosine, MiniLM cosine, reciprocal rank fusion: over a whole history at once
fields                    majority, neighbours' vote, TF-IDF with a linear model, the reporter's own choice
"""

from evals.peers.base import MissingPeerError, Peer
from evals.peers.bm25_scan import BM25Scan
from evals.peers.chroma_topk import ChromaTopK

__all__ = ["BM25Scan", "ChromaTopK", "MissingPeerError", "Peer"]

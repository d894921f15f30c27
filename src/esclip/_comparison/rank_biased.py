"""How alike two rankings are: the share of hits that they have in common, and rank-biased overlap.

ids, best first, of two rankings ─┬─► count_common ─► found in both, of how many
                                  └─► rank_biased_overlap ─► 0 ... 1, the first ranks count most
"""

from __future__ import annotations

from collections.abc import Sequence


def count_common(first: Sequence[str], second: Sequence[str]) -> tuple[int, int]:
    """How many ids are in both rankings, and how many the longer one has."""
    return len({*first} & {*second}), max(len(first), len(second))


def rank_biased_overlap(first: Sequence[str], second: Sequence[str], p: float) -> float:
    """Rank-biased overlap, extrapolated from two rankings that are known to some depth.

    The overlap of the first d ids of both, as a share of d, is averaged over all depths d with weights that
    fall as p^(d-1). Beyond the known ids the last share is taken to go on; where one ranking is shorter, as
    the shorter one ends. With s and l ids, s <= l, and X_d ids in common to depth d:

        RBO = (1-p)/p · (Σ_{d=1..l} X_d/d · p^d + Σ_{d=s+1..l} X_s·(d-s)/(s·d) · p^d)
              + ((X_l - X_s)/l + X_s/s) · p^l

    This is equation 32 of Webber, Moffat, Zobel: "A similarity measure for indefinite rankings" (ACM TOIS
    28(4), 2010); of rankings of one length it is their equation 30.

    Args:
        first: Ids, best first, each once.
        second: The same of the other ranking.
        p: Above 0 and below 1: the nearer to 1, the more later ranks count. With 0.9, the first ten have 86 %
            of the weight.

    Returns:
        1 for rankings that are the same, 0 for those that have nothing in common.
    """
    short, long = sorted((first, second), key=len)
    s, l = len(short), len(long)  # noqa: E741
    if not s:
        return float(not l)
    seen_short: set[str] = set()
    seen_long: set[str] = set()
    common, common_at_s, total = 0, 0, 0.0
    for d, id in enumerate(long, 1):
        seen_long.add(id)
        common += id in seen_short
        if d <= s:
            seen_short.add(short[d - 1])
            common += short[d - 1] in seen_long
        if d == s:
            common_at_s = common
        assumed = common_at_s * (d - s) / s if d > s else 0.0
        total += (common + assumed) / d * p**d
    last = (common - common_at_s) / l + common_at_s / s
    return (1 - p) / p * total + last * p**l

"""Pairwise interaction values of sums of trees, compiled: the same walk and the same games as `kernels`.

The Shapley interaction index of features i and j in one leaf's product game is the integral over t of
(s_i - r_i) (s_j - r_j) times the product of the other g_l (Owen 1972; Grabisch & Roubens 1999).
"""

from __future__ import annotations

import numpy as np

from workbench.compiling import compiled
from workbench.trees.kernels import bits_in, counted, extend, group, grow, memory
from workbench.trees.packed import Rule


@compiled
def path_pairs(pattern, u, share, nodes, weights, out):
    """The Shapley interaction index of every pair (i < j) of one pattern `(u, u)`, path-dependent."""
    one = np.uint64(1)
    out[:u, :u] = 0.0
    q = u // 2  # the integrand has degree u - 2
    for g in range(q):
        t = nodes[q, g]
        product = weights[q, g]
        for j in range(u):
            product *= (1.0 - t) * share[j] + t * ((pattern >> np.uint64(j)) & one)
        for i in range(u):
            for j in range(i + 1, u):
                both = product
                for k in (i, j):
                    if (pattern >> np.uint64(k)) & one:
                        both *= (1.0 - share[k]) / ((1.0 - t) * share[k] + t)
                    else:
                        both *= -1.0 / (1.0 - t)
                out[i, j] += both


@compiled
def pair_pairs(pattern, others, counts, many, total, u, alone, out):
    """The same against background patterns: Beta functions of the counts for and against the leaf."""
    one = np.uint64(1)
    every = ~np.uint64(0) if u == 64 else (one << np.uint64(u)) - one
    out[:u, :u] = 0.0
    z = u - bits_in(pattern)
    for o in range(many):
        b = others[o]
        if pattern | b != every:
            continue
        speaks = pattern & ~b
        a = bits_in(speaks)
        part = counts[o] / total
        for i in range(u):
            for_i = (speaks >> np.uint64(i)) & one
            if not for_i and (pattern >> np.uint64(i)) & one:
                continue  # both rows meet this condition: the feature changes nothing
            for j in range(i + 1, u):
                for_j = (speaks >> np.uint64(j)) & one
                if for_j and for_i:
                    out[i, j] += part * alone[a - 1, z]
                elif for_j or for_i:
                    if for_j or not (pattern >> np.uint64(j)) & one:
                        out[i, j] -= part * alone[a, z - 1]
                elif not (pattern >> np.uint64(j)) & one:
                    out[i, j] += part * alone[z - 1, a]


@compiled
def pair_credit(rows, splits, worth, integrals, walk, first, last, out):
    """Add half the interaction index of every pair to `out` `(t, columns, columns, n)`, upper triangle.

    The arguments are those of `credit`.
    """
    nodes, weights, alone = integrals
    own, others = rows
    roots, left, right, feature, cut, missing_left, table, size, goes_left, share = splits
    wide, path, kept, patterns, other_patterns, to_do, level_of, parent_of = walk
    values, which = worth
    n, m = patterns.shape[1], other_patterns.shape[1]
    ids, distinct = np.empty(n, np.int32), np.empty(max(n, 1), np.uint64)
    other_ids, other_distinct = np.empty(m, np.int32), np.empty(max(m, 1), np.uint64)
    counts = np.empty(max(m, 1))
    slots = np.empty(memory(n), np.int32)
    other_slots = np.empty(memory(m), np.int32)
    pairs = np.empty((64, 64))
    for tree in range(first, last):
        to_do[0], level_of[0], parent_of[0] = roots[tree], 0, -1
        pending = 1
        while pending:
            pending -= 1
            node, level, parent = to_do[pending], level_of[pending], parent_of[pending]
            if level:
                f, side = feature[parent], left[parent] == node
                bit, known = extend(wide, path, kept, level, f, share[node])
                rule = Rule(cut[parent], missing_left[parent], table[parent], size[parent])
                above = level - 1
                grow(own[f], patterns[above], rule, goes_left, side, known, bit, patterns[level])
                if m:
                    grow(
                        others[f],
                        other_patterns[above],
                        rule,
                        goes_left,
                        side,
                        known,
                        bit,
                        other_patterns[level],
                    )
            if left[node] >= 0:
                for child in (right[node], left[node]):
                    to_do[pending], level_of[pending], parent_of[pending] = child, level + 1, node
                    pending += 1
                continue
            u = wide[level]
            if u < 2:
                continue
            count = group(patterns[level], slots, ids, distinct)
            many = 0
            if m:
                many = counted(
                    other_patterns[level], other_slots, other_ids, other_distinct, counts
                )
            for s in range(count):
                if m:
                    pair_pairs(distinct[s], other_distinct, counts, many, m, u, alone, pairs)
                else:
                    path_pairs(distinct[s], u, kept[level], nodes, weights, pairs)
                for row in range(n):
                    if ids[row] != s:
                        continue
                    for target in range(len(out)):
                        half = 0.5 * values[node, which[target, row]]
                        if half == 0.0:
                            continue
                        for i in range(u):
                            for j in range(i + 1, u):
                                low = min(path[level, i], path[level, j])
                                high = max(path[level, i], path[level, j])
                                out[target, low, high, row] += half * pairs[i, j]

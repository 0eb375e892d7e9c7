"""Shapley values of sums of trees, compiled: leaf by leaf, one table lookup per row and feature.

A leaf gives its value to rows that pass every split on the way to it. Merged by feature, those splits are
u <= 64 conditions, and only the conditions that a row meets matter at the leaf: they are a *pattern* of u
bits. Going down a tree, every edge changes one bit of all rows' patterns at once. At a leaf, the credit
of every pattern that occurs is tabulated once, and each row looks its own up.

The game of one leaf of value 1 is a product over its features of g_j = t s_j + (1 - t) r_j, where s_j is
the row's bit and r_j what replaces it when the feature is absent; the Shapley value of feature i is
the integral over t from 0 to 1 of (s_i - r_i) times the product of the other g_j (the multilinear
extension; Owen 1972). It is a polynomial of degree below u, so Gauss-Legendre nodes make it exact.

Leaves below more than 64 features are left to `wide`.

- Path-dependent: r_j is the share of training rows that went this way.
- Interventional: r_j is the background row's bit, averaged over background rows; only their patterns
  matter, so they are counted first. A row of pattern p needs A = the conditions that the background row
  does not meet to be a subset of p: sums over subsets, which all patterns share.

numba's cache notices changes of a file, but not of its imports: after editing this file, delete the
cache of `pair_kernels` too, and after editing `packed` both (`make clean`).
"""

from __future__ import annotations

import numpy as np

from workbench.compiling import compiled
from workbench.trees.packed import Rule

_MISSING = 2**31 - 1  # as in flatten; numba wants a plain constant
_DENSE_BITS = 12
_PAIR = 4  # measured cost of a pair of patterns, in steps of the sums over subsets


@compiled
def grow(codes, above, rule, goes_left, left, known, bit, out):
    """One edge: the patterns of all rows at a child from those `above`, at its parent.

    `left` says whether the child is the left one; `known` whether the split's feature was already on the
    path, so that its bit is there.
    """
    one = out.dtype.type(1)
    shift = out.dtype.type(bit)
    keep = out.dtype.type(~(one << shift))
    for i in range(len(codes)):
        code = codes[i]
        if code == _MISSING:
            went = rule.missing_left
        elif rule.table >= 0:
            went = goes_left[rule.table + min(code, rule.size - 1)]
        else:
            went = code <= rule.cut
        met = out.dtype.type(went == left)
        if known:
            out[i] = above[i] & (keep | (met << shift))
        else:
            out[i] = above[i] | (met << shift)


@compiled
def group(patterns, slots, ids, distinct):
    """Number the different patterns: `ids` per row, `distinct` the patterns; returns how many.

    `slots` is the hash table's memory: a power of two, at least twice as many as rows.
    """
    mask = np.uint64(len(slots) - 1)
    slots[:] = -1
    count = 0
    for i in range(len(patterns)):
        pattern = np.uint64(patterns[i])
        place = ((pattern * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
        while True:
            held = slots[place]
            if held < 0:
                slots[place] = count
                distinct[count] = pattern
                ids[i] = count
                count += 1
                break
            if distinct[held] == pattern:
                ids[i] = held
                break
            place = (place + np.uint64(1)) & mask
    return count


@compiled
def bits_in(pattern):
    """How many bits are set."""
    count = 0
    while pattern:
        pattern &= pattern - np.uint64(1)
        count += 1
    return count


@compiled
def path_tables(distinct, count, u, share, nodes, weights, product, out):
    """Credit `(u, count)` of patterns when absent features follow the training rows' shares."""
    out[:u, :count] = 0.0
    one = np.uint64(1)
    q = (u + 1) // 2
    for g in range(q):
        t = nodes[q, g]
        product[:count] = weights[q, g]
        for j in range(u):
            unmet = (1.0 - t) * share[j]
            for s in range(count):
                product[s] *= unmet + t * ((distinct[s] >> np.uint64(j)) & one)
        for j in range(u):
            # (0 - r) / ((1 - t) r) without the condition, (1 - r) / ((1 - t) r + t) with it
            minus = -1.0 / (1.0 - t)
            more = (1.0 - share[j]) / ((1.0 - t) * share[j] + t) - minus
            row = out[j]
            for s in range(count):  # no branch: several patterns an instruction
                row[s] += product[s] * (minus + more * ((distinct[s] >> np.uint64(j)) & one))


@compiled
def all_path_tables(u, share, nodes, weights, product, out):
    """The same for all 2**u patterns in order, with products built up by doubling."""
    size = 1 << u
    out[:u, :size] = 0.0
    q = (u + 1) // 2
    for g in range(q):
        t = nodes[q, g]
        product[0] = weights[q, g]
        width = 1
        for j in range(u):
            unmet = (1.0 - t) * share[j]
            met = unmet + t
            for s in range(width):
                product[width + s] = product[s] * met
                product[s] *= unmet
            width *= 2
        for j in range(u):
            r = share[j]
            minus = -1.0 / (1.0 - t)
            more = (1.0 - r) / ((1.0 - t) * r + t) - minus
            row = out[j]
            for s in range(size):  # no branch: eight patterns an instruction
                row[s] += product[s] * (minus + more * ((s >> j) & 1))


@compiled
def pair_up(distinct, count, others, counts, many, total, u, alone, out):
    """Credit `(u, count)` of patterns against background patterns, pair by pair.

    `alone[a, z]` is (a-1)! z! / (a+z)!: the credit of one of a features that speak for the leaf when z
    speak against it; one of those that speak against it gets -`alone[z, a]`.
    """
    one = np.uint64(1)
    every = ~np.uint64(0) if u == 64 else (one << np.uint64(u)) - one
    out[:u, :count] = 0.0
    for s in range(count):
        p = distinct[s]
        z = u - bits_in(p)
        against = 0.0
        for o in range(many):
            b = others[o]
            if p | b != every:
                continue
            speaks = p & ~b
            a = bits_in(speaks)
            part = counts[o] / total
            if z:
                against += part * alone[z, a]
            if a:
                gain = part * alone[a, z]
                for j in range(u):
                    if (speaks >> np.uint64(j)) & one:
                        out[j, s] += gain
        if z:
            for j in range(u):
                if not (p >> np.uint64(j)) & one:
                    out[j, s] -= against


@compiled
def all_pairs(others, counts, many, total, u, nodes, weights, sums, scale, out):
    """The same for all 2**u patterns in order, by sums over subsets at each Gauss-Legendre node."""
    size = 1 << u
    every = np.uint64(size - 1)
    out[:u, :size] = 0.0
    q = (u + 1) // 2
    for g in range(q):
        t = nodes[q, g]
        sums[:size] = 0.0
        for o in range(many):
            lacking = every & ~others[o]
            sums[lacking] += counts[o] / total * t ** bits_in(lacking)
        for j in range(u):
            half = 1 << j
            for start in range(0, size, 2 * half):
                for s in range(start, start + half):
                    sums[s + half] += sums[s]
        # Now sums[p] holds count(A) t^|A| over all A in p; the integrand has (1 - t)^z beside it.
        scale[0] = weights[q, g]
        width = 1
        for _ in range(u):
            for s in range(width):
                scale[width + s] = scale[s]
                scale[s] *= 1.0 - t
            width *= 2
        up, down = 1.0 / t, 1.0 / (1.0 - t)
        for j in range(u):
            half = 1 << j
            row = out[j]
            for start in range(0, size, 2 * half):
                for s in range(start, start + half):
                    row[s] -= down * scale[s] * sums[s]
                    row[s + half] += up * scale[s + half] * (sums[s + half] - sums[s])


@compiled
def look_up(tables, ids, u, features, values, which, factor, found, out):
    """Add each row's credit, times what the leaf is worth to each target, to `out` `(t, columns, n)`."""
    n = len(ids)
    targets = len(out)
    for target in range(targets):
        if len(values) == 1:
            factor[target] = values[0]
        else:
            chosen, own = which[target], factor[target]
            for i in range(n):
                own[i] = values[chosen[i]]
    for j in range(u):
        table = tables[j]
        if targets == 1:
            row, own = out[0, features[j]], factor[0]
            for i in range(n):
                row[i] += own[i] * table[ids[i]]
            continue
        for i in range(n):
            found[i] = table[ids[i]]
        for target in range(targets):
            row, own = out[target, features[j]], factor[target]
            for i in range(n):
                row[i] += own[i] * found[i]


@compiled
def memory(rows):
    """The size of a hash table for that many different patterns."""
    size = 16
    while size < 2 * rows:
        size *= 2
    return size


@compiled
def extend(wide, path, kept, level, feature, share):
    """Fill in the path's features at a child, from those at `level - 1` and the feature of the split.

    Returns the feature's bit, and whether it was on the path before.
    """
    above = level - 1
    u = wide[above]
    bit = u
    for j in range(u):
        path[level, j], kept[level, j] = path[above, j], kept[above, j]
        if path[above, j] == feature:
            bit = j
    known = bit < u
    path[level, bit] = feature
    kept[level, bit] = share * (kept[above, bit] if known else 1.0)
    wide[level] = u if known else u + 1
    return bit, known


@compiled
def counted(patterns, slots, ids, distinct, counts):
    """Number the different patterns as `group` does, and count the rows of each; returns how many."""
    many = group(patterns, slots, ids, distinct)
    counts[:many] = 0.0
    for i in range(len(patterns)):
        counts[ids[i]] += 1.0
    return many


@compiled
def credit(rows, splits, worth, integrals, walk, first, last, out):
    """Add the credit of the trees `first` to `last` to `out` `(t, columns, n)`; see `packed`."""
    nodes, weights, alone = integrals
    own, others = rows
    roots, left, right, feature, cut, missing_left, table, size, goes_left, share = splits
    wide, path, kept, patterns, other_patterns, to_do, level_of, parent_of = walk
    values, which = worth
    levels, n = patterns.shape
    m = other_patterns.shape[1]
    ids, distinct = np.empty(n, np.int32), np.empty(max(n, 1), np.uint64)
    other_ids, other_distinct = np.empty(m, np.int32), np.empty(max(m, 1), np.uint64)
    counts = np.empty(max(m, 1))
    slots = np.empty(memory(n), np.int32)
    other_slots = np.empty(memory(m), np.int32)
    most = 1 << min(levels - 1, _DENSE_BITS)
    tables = np.empty((64, max(n, most)))
    sums, scale = np.empty(max(n, most)), np.empty(most)
    factor, found = np.empty((len(out), n)), np.empty(n)
    for tree in range(first, last):
        to_do[0], level_of[0], parent_of[0] = roots[tree], 0, -1
        pending = 1
        while pending:
            pending -= 1
            node, level, parent = to_do[pending], level_of[pending], parent_of[pending]
            if level:
                f, side = feature[parent], left[parent] == node
                bit, known = extend(wide, path, kept, level, f, share[node])
                if wide[level] > 64:  # everything below is for `wide.add_wide`
                    continue
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
            some = False
            for c in range(values.shape[1]):
                some = some or values[node, c] != 0.0
            if u == 0 or not some:
                continue
            q = (u + 1) // 2
            every = 1 << min(u, 62)
            met = patterns[level]
            if m == 0:
                if u <= _DENSE_BITS and every <= 2 * n:
                    all_path_tables(u, kept[level], nodes, weights, sums, tables)
                    ids[:] = met
                else:
                    count = group(met, slots, ids, distinct)
                    path_tables(distinct, count, u, kept[level], nodes, weights, sums, tables)
            else:
                many = counted(
                    other_patterns[level], other_slots, other_ids, other_distinct, counts
                )
                count = group(met, slots, ids, distinct)
                if u <= _DENSE_BITS and every * u * q < _PAIR * count * many:
                    all_pairs(
                        other_distinct, counts, many, m, u, nodes, weights, sums, scale, tables
                    )
                    ids[:] = met
                else:
                    pair_up(distinct, count, other_distinct, counts, many, m, u, alone, tables)
            look_up(tables, ids, u, path[level], values[node], which, factor, found, out)

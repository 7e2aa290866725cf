"""Says where the entries of a Sealift ledger were altered, removed, inserted, reordered or cut off.

`verify.py` asks it once it knows that they are not what was signed: nothing here can make an export
consistent. How the places are found is described in Sealift's docs/FORMATS.md, section Verdict.
"""
import re

from verify import fits, grow, root_of, unexplained


def head(data, size, root):
    """Returns the leaf hash of the last entry, if `head.txt` adds up to the signed root."""
    try:
        number, *texts, end = data.decode("ascii").split("\n")
        if end or not all(re.fullmatch("[0-9a-f]{64}", text) for text in texts):
            return None
        last, *roots = [bytes.fromhex(text) for text in texts]
    except ValueError:
        return None
    if number != str(size) or len(roots) != bin(size - 1).count("1"):
        return None
    grow(roots, size - 1, last)
    return last if root_of(roots) == root else None


def walk(lines, last, signed):
    """Follows the links back from the last entry; picks the line that stands for each entry."""
    candidates = {}
    for index, (_, place) in enumerate(lines):
        if place and place[0] < signed:
            candidates.setdefault(place[0], []).append(index)
    picks, altered, wanted, upper = {}, [], (signed - 1, last), len(lines)
    for seq in sorted(candidates, reverse=True):
        leaf = wanted[1] if wanted[0] == seq else None
        genuine = [i for i in candidates[seq] if leaf is None or lines[i][0] == leaf]
        choice = genuine or candidates[seq]
        picks[seq] = upper = max([i for i in choice if i < upper] or choice)
        wanted = (seq - 1, lines[upper][1][1]) if genuine else (-1, None)
        if not genuine:
            altered.append(seq)
    return picks, altered


def locate(lines, has_fragment, signed_roots, last):
    """Returns (findings, notes, how many entries from the first on are proven)."""
    signed = max(signed_roots)
    picks, altered = walk(lines, last, signed)
    free, gaps = set(range(len(lines))) - set(picks.values()), []
    next_seq = next_line = 0
    for seq, line in sorted(picks.items()) + [(signed, len(lines))]:
        # A line that stands where a missing entry should is that entry, altered.
        for index in [i for i in range(next_line, line) if i in free][:seq - next_seq]:
            free.discard(index)
            altered.append(next_seq)
            next_seq += 1
        if seq == signed and next_seq < signed:
            gaps.append((next_seq, "truncated: %d entries are here, %d were signed"
                         % (next_seq, signed)))
        else:
            gaps += [(s, "removed: entry %d is missing" % s) for s in range(next_seq, seq)]
        next_seq, next_line = seq + 1, line + 1
    unbroken = []
    while len(unbroken) in picks:
        unbroken.append(lines[picks[len(unbroken)]][0])
    proven = max([size for size, fit in fits(unbroken, signed_roots).items() if fit], default=0)
    notes, damaged = [], max(altered + [seq for seq, _ in gaps], default=0)
    if last is None and signed:
        notes.append("`head.txt` is missing or does not fit: places are named less exactly")
    if proven < damaged:
        notes.append("entries %d to %d are not proven: what links to them is damaged"
                     % (proven, damaged - 1))
    gaps += [(seq, "altered: entry %d is not what was signed" % seq) for seq in altered]
    found = [text for _, text in sorted(gaps, key=lambda gap: gap[0])]
    lowest, first = len(lines), None
    for seq in sorted(picks, reverse=True):
        first, lowest = seq if picks[seq] > lowest else first, min(lowest, picks[seq])
    if first is not None:
        found.append("reordered: entries are out of order from entry %d on" % first)
    found += [unexplained(lines[index][1], index + 1) for index in sorted(free)]
    if has_fragment and len(lines) >= signed:
        found.append(unexplained(None, len(lines) + 1))
    if not found:
        to = min([size for size in signed_roots if size > proven], default=proven + 1) - 1
        found.append("altered: entry %d is not what was signed" % to if proven == to else
                     "altered: among entries %d to %d not all are what was signed" % (proven, to))
    return found, notes, proven

#!/usr/bin/env python3
"""Checks an export of a Sealift ledger. Needs Python 3.8 or later and nothing else.

usage: verify.py [DIR | PROOF | REPORT] [--key FINGERPRINT] [--since CHECKPOINT-FILE]

DIR is an export. A file is a proof (`sealift ledger prove`) or a report, as JSON or as HTML.

Exit code 0: consistent. 1: a finding. 2: it could not be checked.
The format is described in Sealift's docs/FORMATS.md. This program shares no code with Sealift.
"""
import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import sys

ENTRIES, CHECKPOINT, CHECKPOINTS = "entries.jsonl", "checkpoint.txt", "checkpoints.txt"
HEAD, PUBLIC_KEY = "head.txt", "public-key.txt"
FINDINGS_MAX = 100
ZERO = bytes(32)


class Malformed(ValueError):
    """The bytes are not what they should be."""


class Unsigned(ValueError):
    """A checkpoint without a valid signature by the key."""


class Cannot(Exception):
    """There is nothing to check."""


# ── Ed25519, RFC 8032 ────────────────────────────────────────────────────────────────────────────

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def point_add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_mul(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = point_add(q, p)
        p, n = point_add(p, p), n >> 1
    return q


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


def equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def is_small(p):
    return equal(point_mul(8, p), (0, 1, 1, 0))


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signature_fits(key, message, signature):
    a, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= L or is_small(a) or is_small(r):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return equal(point_mul(s, BASE), point_add(r, point_mul(h, a)))


# ── The Merkle tree, RFC 6962 ────────────────────────────────────────────────────────────────────


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


class Tree:
    """The roots of the perfect subtrees so far, the largest first."""

    def __init__(self, size=0, roots=()):
        self.size, self.roots = size, list(roots)

    def append(self, leaf):
        bits = self.size
        while bits & 1:
            leaf, bits = hashlib.sha256(b"\1" + self.roots.pop() + leaf).digest(), bits >> 1
        self.roots.append(leaf)
        self.size += 1

    def root(self):
        if not self.roots:
            return hashlib.sha256(b"").digest()
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = hashlib.sha256(b"\1" + left + root).digest()
        return root


def fits(leaves, signed):
    """For each signed size that the leaves reach: is their root there the signed one?"""
    tree, result = Tree(), {}
    if 0 in signed:
        result[0] = tree.root() == signed[0]
    for leaf in leaves:
        tree.append(leaf)
        if tree.size in signed:
            result[tree.size] = tree.root() == signed[tree.size]
    return result


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def is_included(proof, leaf, index, size, root):
    """RFC 9162, section 2.1.3.2."""
    last, result = size - 1, leaf
    if index > last:
        return False
    for step in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            result = node_hash(step, result)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            result = node_hash(result, step)
        index, last = index >> 1, last >> 1
    return last == 0 and result == root


def is_beginning(proof, old, old_root, new, new_root):
    """RFC 9162, section 2.1.4.2."""
    if old > new or old == 0 or old == new:
        empty = old_root == hashlib.sha256(b"").digest() if old == 0 else old_root == new_root
        return old <= new and not proof and empty
    path = ([old_root] if old & (old - 1) == 0 else []) + proof
    if not path:
        return False
    index, last = old - 1, new - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            second = node_hash(second, step)
        index, last = index >> 1, last >> 1
    return first == old_root and second == new_root and last == 0


# ── Keys and checkpoints ─────────────────────────────────────────────────────────────────────────


def strict_base64(text):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise Malformed
    if base64.b64encode(data).decode() != text:
        raise Malformed
    return data


def is_name(text):
    return bool(text) and not any(c.isspace() or c == "+" or ord(c) < 32 or 127 <= ord(c) < 160
                                  for c in text)


def parse_key(text):
    """Returns (origin, key id, 32 bytes, text)."""
    origin, id_hex, encoded = text.split("+", 2)
    key = strict_base64(encoded)
    key_id = hashlib.sha256(origin.encode() + b"\n" + key).digest()[:4]
    if not is_name(origin) or len(key) != 33 or key[0] != 1 or key_id.hex() != id_hex:
        raise Malformed
    if decompress(key[1:]) is None:
        raise Malformed
    return origin, key_id, key[1:], text


def parse_keys(data, name, expected, found, notes):
    """The ledger's keys, oldest first, and the fingerprint of the last; no keys if one is bad."""
    keys = []
    try:
        lines = data.decode("utf-8").split("\n")
    except ValueError:
        lines = [""]
    for number, line in enumerate(lines[:-1] if len(lines) > 1 and not lines[-1] else lines):
        try:
            key = parse_key(line)
        except ValueError:
            key = None
        if key is None or key in keys or (keys and key[0] != keys[0][0]):
            found.append("malformed: line %d of `%s` cannot be read" % (number + 1, name))
            return [], ""
        keys.append(key)
    prints = [hashlib.sha256(key[2]).hexdigest() for key in keys]
    if expected is not None and expected.lower() != prints[-1]:
        if expected.lower() in prints:
            notes.append("the fingerprint given is of an earlier key: the ledger is signed by %s "
                         "now" % prints[-1])
        else:
            found.append("wrong key: the export is signed by %s, not by %s"
                         % (prints[-1], expected.lower()))
    return keys, prints[-1]


def unlinked(keys, entries):
    """Keys that no entry leads to which both have signed."""
    links, found = set(), []
    for entry in entries if len(keys) > 1 else []:
        details = entry["details"]
        texts = [details.get(name) for name in ("old_key", "new_key", "signed_by_old",
                                                "signed_by_new")]
        if entry["action"] != "ledger_key_rotated" or not all(map(is_text, texts)):
            continue
        try:
            old, new = parse_key(texts[0]), parse_key(texts[1])
            message = canonical({"statement": "sealift/v1/ledger-key", "ledger": old[0],
                                 "old": texts[0], "new": texts[1]}).encode("utf-8")
            if (old[0] == new[0] and signature_fits(old[2], message, strict_base64(texts[2]))
                    and signature_fits(new[2], message, strict_base64(texts[3]))):
                links.add((texts[0], texts[1]))
        except ValueError:
            continue
    for old, new in zip(keys, keys[1:]):
        if (old[3], new[3]) not in links:
            found.append("unlinked key: no entry signed by both leads from %s to %s" % tuple(
                hashlib.sha256(key[2]).hexdigest() for key in (old, new)))
    return found


def parse_by_any(data, keys):
    """Returns (size, root) of a note that one of the keys has signed."""
    for key in keys:
        try:
            return parse_checkpoint(data, key)
        except Unsigned:
            pass
    raise Unsigned


def parse_checkpoint(data, key):
    """Returns (size, root) of a signed note."""
    origin, key_id, public, _ = key
    text = data.decode("utf-8")
    body, mark, signatures = text.rpartition("\n\n")
    if not mark or not signatures.endswith("\n") or len(data) > 1_000_000:
        raise Malformed
    if any(ord(c) < 32 and c != "\n" for c in text):
        raise Malformed
    body, ours, lines = body + "\n", None, signatures[:-1].split("\n")
    for line in lines:
        name, space, encoded = line[2:].partition(" ")
        signature = strict_base64(encoded)
        if line[:2] != "\u2014 " or not space or not is_note_name(name) or len(signature) < 5:
            raise Malformed
        if ours is None and name == origin and signature[:4] == key_id:
            ours = signature[4:]
    if len(lines) > 100:
        raise Malformed
    if ours is None or not signature_fits(public, body.encode(), ours):
        raise Unsigned
    parts = body.split("\n")
    if len(parts) != 4 or parts[3] or not parts[0] or not re.fullmatch("0|[1-9][0-9]*", parts[1]):
        raise Malformed
    size, root = int(parts[1]), strict_base64(parts[2])
    if len(root) != 32 or size >= 2**64:
        raise Malformed
    if parts[0] != origin:
        raise Unsigned
    return size, root


def is_note_name(text):
    return bool(text) and not any(c.isspace() or c == "+" for c in text)


# ── Entries ──────────────────────────────────────────────────────────────────────────────────────

PHASES = ("planned approved backed_up sealed rewritten verified purge_approved purged closed "
          "rolling_back rolled_back").split()
SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def canonical(value, depth=0):
    """RFC 8785, with integers of at most 53 bits and at most 16 levels."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if type(value) is int and abs(value) < 2**53:
        return str(value)
    if type(value) is str:
        return '"' + "".join(SHORT.get(c) or ("\\u%04x" % ord(c) if c < " " else c)
                             for c in value) + '"'
    if type(value) in (list, dict) and depth < 16:
        if type(value) is list:
            return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key], depth + 1)
                              for key in keys) + "}"
    raise Malformed


def is_text(value):
    return type(value) is str


def is_count(value):
    return type(value) is int and value >= 0


def nullable(test):
    return lambda value: value is None or test(value)


def matches(pattern):
    return lambda value: is_text(value) and re.fullmatch(pattern, value) is not None


FIELDS = {
    "seq": is_count,
    "prev": matches("[0-9a-f]{64}"),
    "at": matches("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z"),
    "actor": is_text,
    "action": is_text,
    "object": is_text,
    "run": nullable(matches("[0-9a-f]{8}")),
    "purpose": nullable(is_text),
    "phase_before": nullable(lambda value: is_text(value) and value in PHASES),
    "phase_after": nullable(lambda value: is_text(value) and value in PHASES),
    "counts": lambda value: type(value) is dict and all(map(is_count, value.values())),
    "key_ids": lambda value: type(value) is list and all(
        is_count(item) and item < 2**32 for item in value),
    "policy": nullable(is_text),
    "details": lambda value: type(value) is dict,
    "tool": is_text,
}


def read_entry(line):
    """Returns the entry, or None if the line is not the canonical form of one."""
    try:
        entry = json.loads(line.decode("utf-8"))
        if type(entry) is not dict or set(entry) != set(FIELDS):
            return None
        if not all(test(entry[name]) for name, test in FIELDS.items()):
            return None
        if canonical(entry).encode("utf-8") != line:
            return None
    except (ValueError, RecursionError):
        return None
    return entry


# ── Where it was altered ─────────────────────────────────────────────────────────────────────────


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
    signed = max(signed_roots)
    picks, altered = walk(lines, last, signed)
    free, found, gaps = set(range(len(lines))) - set(picks.values()), [], []
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
    notes = []
    if last is None and signed:
        notes.append("`head.txt` is missing or does not fit: places are named less exactly")
    damaged = max(altered + [seq for seq, _ in gaps], default=0)
    if proven < damaged:
        notes.append("entries %d to %d are not proven: what links to them is damaged"
                     % (proven, damaged - 1))
    gaps += [(seq, "altered: entry %d is not what was signed" % seq) for seq in altered]
    found += [text for _, text in sorted(gaps, key=lambda gap: gap[0])]
    lowest, first = len(lines), None
    for seq in sorted(picks, reverse=True):
        first = seq if picks[seq] > lowest else first
        lowest = min(lowest, picks[seq])
    if first is not None:
        found.append("reordered: entries are out of order from entry %d on" % first)
    found += [unexplained(lines[index], index + 1) for index in sorted(free)]
    if has_fragment and len(lines) >= signed:
        found.append(unexplained((None, None), len(lines) + 1))
    if not found:
        to = min([size for size in signed_roots if size > proven], default=proven + 1) - 1
        found.append("altered: entry %d is not what was signed" % to if proven == to else
                     "altered: among entries %d to %d not all are what was signed" % (proven, to))
    return found, notes, proven


def unexplained(line, number):
    if line[1]:
        return "inserted: line %d of `entries.jsonl` is not in the ledger" % number
    return "malformed: line %d of `entries.jsonl` cannot be read" % number


def beyond_the_signature(lines, has_fragment, signed):
    found, prev = [], ZERO
    for index, (leaf, place) in enumerate(lines):
        if place and index >= signed:
            found.append(unexplained((leaf, place), index + 1))
        elif place != (index, prev):
            found.append(unexplained((leaf, None), index + 1))
        prev = leaf
    if has_fragment:
        found.append(unexplained((None, None), len(lines) + 1))
    return found


# ── The check ────────────────────────────────────────────────────────────────────────────────────


def read(folder, name, is_needed=True):
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        if is_needed:
            raise Cannot("the export has no file `%s`" % name)
        return b""


def read_head(folder, size, root):
    """Returns the last leaf, if the head adds up to the signed root."""
    try:
        number, *hashes, end = read(folder, HEAD, False).decode("ascii").split("\n")
        if end or not all(re.fullmatch("[0-9a-f]{64}", text) for text in hashes):
            return None
        hashes = [bytes.fromhex(text) for text in hashes]
        tree = Tree(size - 1, hashes[1:])
        if number != str(size) or len(tree.roots) != bin(size - 1).count("1"):
            return None
        tree.append(hashes[0])
    except (ValueError, IndexError):
        return None
    return hashes[0] if tree.root() == root else None


def read_earlier(data, keys, found):
    if not data:
        return []
    unreadable, checkpoints, line = "malformed: line %d of `checkpoints.txt` cannot be read", [], 1
    try:
        text = data.decode("utf-8")
    except ValueError:
        text = ""
    if not text.endswith("\n"):
        found.append(unreadable % 1)
        return []
    pieces = text[:-1].split("\n\n")
    for number in range(0, len(pieces), 2):
        body, signatures = (pieces[number:number + 2] + [""])[:2]
        try:
            note = body + "\n\n" + signatures + "\n"
            checkpoints.append(parse_by_any(note.encode(), keys))
        except Unsigned:
            found.append("bad signature: note %d of `checkpoints.txt` is not signed by the ledger's "
                         "key" % (number // 2 + 1))
        except ValueError:
            found.append(unreadable % line)
        line += body.count("\n") + signatures.count("\n") + 4
    return checkpoints


FORKED = "forked: the checkpoint over %d entries tells another history"
BAD = "bad signature: %s is not signed by the ledger's key"


def begin(expected, since):
    """The notes on what is not given."""
    if expected is not None and not re.fullmatch("[0-9a-fA-F]{64}", expected):
        raise Cannot("the fingerprint of a key is 64 hex digits")
    notes = []
    if expected is None:
        notes.append("no fingerprint was given: whose key signed was not checked")
    if since is None:
        notes.append("no earlier checkpoint was given: roll back and fork were not checked")
    return notes


def read_since(since, keys, size, found):
    """Returns (size, root) of the checkpoint that was kept, if it can be compared."""
    if since is None:
        return None
    try:
        kept = parse_by_any(since, keys)
    except Unsigned:
        found.append(BAD % "the checkpoint given")
        return None
    except ValueError:
        raise Cannot("the checkpoint given is not a signed checkpoint")
    if kept[0] > size:
        found.append("rolled back: %d entries are signed here, %d were signed before"
                     % (size, kept[0]))
        return None
    return kept


def shortened(size, fingerprint, found, notes):
    if len(found) > FINDINGS_MAX:
        notes.append("%d more findings are left out" % (len(found) - FINDINGS_MAX))
    return size, fingerprint, found[:FINDINGS_MAX], notes


def check(folder, expected, since):
    """Returns (size, fingerprint, findings, notes)."""
    notes, found = begin(expected, since), []
    entries, newest = read(folder, ENTRIES), read(folder, CHECKPOINT)
    keys, fingerprint = parse_keys(read(folder, PUBLIC_KEY), PUBLIC_KEY, expected, found, notes)
    if not keys:
        return 0, "", found, notes
    try:
        signed, forks = dict([parse_checkpoint(newest, keys[-1])]), set()
    except Unsigned:
        return 0, fingerprint, found + [BAD % "`checkpoint.txt`"], notes
    except ValueError:
        found.append("malformed: line 1 of `checkpoint.txt` cannot be read")
        return 0, fingerprint, found, notes
    for size, root in read_earlier(read(folder, CHECKPOINTS, False), keys, found):
        if signed.setdefault(size, root) != root:
            forks.add(size)
    size, since_size = max(signed), None
    kept = read_since(since, keys, size, found)
    if kept is not None:
        since_size = kept[0]
        if signed.setdefault(since_size, kept[1]) != kept[1]:
            forks.add(since_size)

    *lines, fragment = entries.split(b"\n")
    parsed = [read_entry(line) for line in lines]
    found += unlinked(keys, [entry for entry in parsed if entry])
    lines = [(leaf_hash(line), entry and (entry["seq"], bytes.fromhex(entry["prev"])))
             for line, entry in zip(lines, parsed)]
    fit = fits([leaf for leaf, _ in lines], signed)
    if fit.get(size):
        found += beyond_the_signature(lines, bool(fragment), size)
        forks.update(at for at, is_right in fit.items() if not is_right)
    else:
        last = read_head(folder, size, signed[size])
        located, more, proven = locate(lines, bool(fragment), signed, last)
        found, notes = found + located, notes + more
        if since_size is not None and since_size > proven:
            notes.append("the checkpoint over %d entries could not be compared" % since_size)
    found += [FORKED % at for at in sorted(forks)]
    return shortened(size, fingerprint, found, notes)


# ── Proofs and reports ───────────────────────────────────────────────────────────────────────────


def is_hashes(value):
    return type(value) is list and all(map(matches("[0-9a-f]{64}"), value))


def has(value, **tests):
    return type(value) is dict and set(value) == set(tests) and all(
        test(value[name]) for name, test in tests.items())


def is_proof(value):
    """Whether this is a proof as `sealift ledger prove` writes it."""
    def is_proven(item):
        return has(item, seq=is_count, entry=is_text, proof=is_hashes)

    def is_consistency(item):
        return has(item, since=is_text, proof=is_hashes)

    return has(value, schema=lambda name: name == "sealift/proof/1", checkpoint=is_text,
               keys=lambda keys: type(keys) is list and all(map(is_text, keys)),
               entries=lambda items: type(items) is list and all(map(is_proven, items)),
               consistency=nullable(is_consistency))


def read_proof(path):
    """The proof in a file: the file itself, or what a report carries."""
    data = read("", path).decode("utf-8", "replace")
    if data.lstrip().startswith("<"):
        data = data.partition('<script type="application/json" id="report">')[2]
        data = data.partition("</script>")[0]
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Cannot("`%s` is no proof and no report" % path)
    if type(value) is dict and "proofs" in value:
        value = value["proofs"]
    if not is_proof(value):
        raise Cannot("`%s` is no proof and no report with one" % path)
    return value


def check_proof(value, expected, since):
    """Returns (size, fingerprint, findings, notes)."""
    notes, found = begin(expected, since), []
    lines = "".join(key + "\n" for key in value["keys"]).encode()
    keys, fingerprint = parse_keys(lines, "keys", expected, found, notes)
    if not keys:
        return 0, "", found, notes
    try:
        size, root = parse_checkpoint(value["checkpoint"].encode(), keys[-1])
    except Unsigned:
        return 0, fingerprint, found + [BAD % "`checkpoint`"], notes
    except ValueError:
        found.append("malformed: line 1 of `checkpoint` cannot be read")
        return 0, fingerprint, found, notes
    old, broken, more = None, False, []
    if value["consistency"] is not None:
        steps = [bytes.fromhex(step) for step in value["consistency"]["proof"]]
        try:
            old = parse_by_any(value["consistency"]["since"].encode(), keys)
            if not is_beginning(steps, old[0], old[1], size, root):
                found.append(FORKED % old[0])
                broken = True
        except ValueError:
            found.append(BAD % "the older checkpoint of the proof")
            broken = True
    kept = read_since(since, keys, size, found)
    if kept is not None:
        if kept[0] == size:
            found += [FORKED % size] if kept[1] != root else []
        elif old is not None and not broken and old[0] == kept[0]:
            found += [FORKED % old[0]] if kept[1] != old[1] else []
        elif not broken:
            more.append("the checkpoint over %d entries could not be compared" % kept[0])
    lines = [item["entry"].encode("utf-8", "replace") for item in value["entries"]]
    parsed = [read_entry(line) for line in lines]
    found += unlinked(keys, [entry for entry in parsed if entry])
    for item, line, entry in zip(value["entries"], lines, parsed):
        steps = [bytes.fromhex(step) for step in item["proof"]]
        if (entry is None or entry["seq"] != item["seq"]
                or not is_included(steps, leaf_hash(line), item["seq"], size, root)):
            found.append("not in the ledger: entry %d does not lead to the signed root"
                         % item["seq"])
    return shortened(size, fingerprint, found, notes + more)


def main():
    parser = argparse.ArgumentParser(description="Checks an export of a Sealift ledger.")
    parser.add_argument("dir", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--key", help="the fingerprint that `sealift init` printed")
    parser.add_argument("--since", help="a file with a checkpoint that was kept elsewhere")
    arguments = parser.parse_args()
    try:
        since = read("", arguments.since) if arguments.since else None
        if os.path.isfile(arguments.dir):
            verdict = check_proof(read_proof(arguments.dir), arguments.key, since)
        else:
            verdict = check(arguments.dir, arguments.key, since)
        size, fingerprint, found, notes = verdict
    except (Cannot, OSError) as error:
        print("verify.py: %s" % error, file=sys.stderr)
        return 2
    for finding in found:
        print("finding: " + finding)
    for note in notes:
        print("note: " + note)
    if found:
        print("NOT consistent: %d findings" % len(found))
    else:
        print("consistent: %d entries, signed by %s" % (size, fingerprint))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

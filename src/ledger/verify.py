#!/usr/bin/env python3
"""Checks an export of a Sealift ledger. Needs Python 3.8 or later and nothing else.

usage: verify.py [DIR | PROOF | REPORT] [--key FINGERPRINT] [--since CHECKPOINT-FILE]

DIR is an export. A file is a proof (`sealift ledger prove`) or a report, as JSON or as HTML.
Exit code 0: consistent. 1: a finding. 2: it could not be checked. The format is described in
Sealift's docs/FORMATS.md; this program shares no code with Sealift. Whether a ledger is consistent
is decided here; where one that is not was altered, `locate.py` beside this file says.
"""
import argparse
import base64
import hashlib
import json
import os
import re
import sys


class Malformed(ValueError):
    """The bytes are not what they should be."""


class Unsigned(ValueError):
    """A checkpoint without a valid signature by the key."""


class Cannot(Exception):
    """There is nothing to check."""


# ── Ed25519, RFC 8032 ────────────────────────────────────────────────────────────────────────────
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ROOT_OF_MINUS_1 = -121665 * pow(121666, P - 2, P) % P, pow(2, (P - 1) // 4, P)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        q, p, n = add(q, p) if n & 1 else q, add(p, p), n >> 1
    return q


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if (x * x - x2) % P == 0 else x * ROOT_OF_MINUS_1 % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(key, message, signature):
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= L:
        return False
    if any(equal(times(8, p), (0, 1, 1, 0)) for p in (a, r)):  # of small order
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return equal(times(s, BASE), add(r, times(h, a)))


# ── The Merkle tree, RFC 6962 ────────────────────────────────────────────────────────────────────
def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def grow(roots, size, leaf):
    """Appends a leaf to the roots of the perfect subtrees of `size` leaves, the largest first."""
    while size & 1:
        leaf, size = node(roots.pop(), leaf), size >> 1
    roots.append(leaf)


def root_of(roots):
    if not roots:
        return hashlib.sha256(b"").digest()
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = node(left, root)
    return root


def fits(leaves, signed):
    """For each signed size that the leaves reach: is their root there the signed one?"""
    roots, result = [], {0: root_of([]) == signed[0]} if 0 in signed else {}
    for size, leaf in enumerate(leaves):
        grow(roots, size, leaf)
        if size + 1 in signed:
            result[size + 1] = root_of(roots) == signed[size + 1]
    return result


def half(size):
    """The largest power of two below `size`: the left subtree."""
    return 1 << (size - 1).bit_length() - 1


def included(leaf, index, size, proof):
    """The root that an inclusion proof leads to (section 2.1.1), or None."""
    if size < 2 or not proof:
        return leaf if size == 1 and not proof else None
    left = index < half(size)
    below = included(leaf, index if left else index - half(size),
                     half(size) if left else size - half(size), proof[:-1])
    return below and (node(below, proof[-1]) if left else node(proof[-1], below))


def grown(old_root, old, new, proof, is_whole=True):
    """The roots of both trees that a consistency proof leads to (section 2.1.2), or None."""
    if old == new:
        known = [old_root] if is_whole else proof
        return (known[0],) * 2 if len(known) == 1 and (not is_whole or not proof) else None
    if not proof:
        return None
    if old <= half(new):
        both = grown(old_root, old, half(new), proof[:-1], is_whole)
        return both and (both[0], node(both[1], proof[-1]))
    both = grown(old_root, old - half(new), new - half(new), proof[:-1], False)
    return both and (node(proof[-1], both[0]), node(proof[-1], both[1]))


# ── Keys and checkpoints ─────────────────────────────────────────────────────────────────────────
def text_of(data):
    try:
        return data.decode("utf-8")
    except ValueError:
        return None


def strict_base64(text):
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if base64.b64encode(data).decode() != text:
        raise Malformed
    return data


def parse_key(text):
    """Returns (origin, key id, 32 bytes, text)."""
    origin, id_hex, encoded = text.split("+", 2)
    key = strict_base64(encoded)
    key_id = hashlib.sha256(origin.encode() + b"\n" + key).digest()[:4]
    is_name = origin and not any(c.isspace() or ord(c) < 32 or 127 <= ord(c) < 160 for c in origin)
    if not is_name or len(key) != 33 or key[0] != 1 or key_id.hex() != id_hex or not point(key[1:]):
        raise Malformed
    return origin, key_id, key[1:], text


def parse_keys(data, name, expected, found, notes):
    """The ledger's keys, oldest first, and the fingerprint of the last; no keys if one is bad."""
    keys = []
    lines = (text_of(data) or "").split("\n")
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
    if expected is None or expected.lower() == prints[-1]:
        return keys, prints[-1]
    if expected.lower() in prints:
        notes.append("the fingerprint given is of an earlier key: the ledger is signed by %s now"
                     % prints[-1])
    else:
        found.append("wrong key: the export is signed by %s, not by %s"
                     % (prints[-1], expected.lower()))
    return keys, prints[-1]


def unlinked(keys, entries):
    """Keys that no entry leads to which both have signed."""
    links = set()
    for details in [entry["details"] for entry in entries
                    if len(keys) > 1 and entry["action"] == "ledger_key_rotated"]:
        try:
            texts = details["old_key"], details["new_key"]
            old, new = map(parse_key, texts)
            message = canonical({"statement": "sealift/v1/ledger-key", "ledger": old[0],
                                 "old": old[3], "new": new[3]}).encode("utf-8")
            if old[0] == new[0] and all(
                    is_signed(key[2], message, strict_base64(details[name]))
                    for key, name in ((old, "signed_by_old"), (new, "signed_by_new"))):
                links.add(texts)
        except (ValueError, KeyError, AttributeError):
            continue
    return ["unlinked key: no entry signed by both leads from %s to %s"
            % tuple(hashlib.sha256(key[2]).hexdigest() for key in (old, new))
            for old, new in zip(keys, keys[1:]) if (old[3], new[3]) not in links]


def parse_note(data, keys):
    """Returns (size, root) of a signed note that one of the keys has signed."""
    text = data.decode("utf-8")
    body, mark, signatures = text.rpartition("\n\n")
    body, blobs = body + "\n", []
    if not mark or not signatures.endswith("\n") or len(data) > 1_000_000:
        raise Malformed
    if any(ord(c) < 32 and c != "\n" for c in text) or signatures.count("\n") > 100:
        raise Malformed
    for line in signatures[:-1].split("\n"):
        name, space, encoded = line[2:].partition(" ")
        blob = strict_base64(encoded)
        if line[:2] != "\u2014 " or not space or len(blob) < 5 or not name or any(
                c.isspace() or c == "+" for c in name):
            raise Malformed
        blobs.append((name, blob))
    for origin, key_id, public, _ in keys:
        ours = [blob[4:] for name, blob in blobs if name == origin and blob[:4] == key_id]
        if ours and is_signed(public, body.encode(), ours[0]):
            parts = body.split("\n")
            if len(parts) != 4 or not parts[0] or not re.fullmatch("0|[1-9][0-9]*", parts[1]):
                raise Malformed
            size, root = int(parts[1]), strict_base64(parts[2])
            if len(root) != 32 or size >= 2**64:
                raise Malformed
            if parts[0] == origin:
                return size, root
    raise Unsigned


# ── Entries ──────────────────────────────────────────────────────────────────────────────────────
PHASES = ("planned|approved|backed_up|sealed|rewritten|verified|purge_approved|purged|closed"
          "|rolling_back|rolled_back")
SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def canonical(value, depth=0):
    """RFC 8785, with integers of at most 53 bits and at most 16 levels."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if type(value) is int and abs(value) < 2**53:
        return str(value)
    if type(value) is str:
        return '"%s"' % "".join(SHORT.get(c) or ("\\u%04x" % ord(c) if c < " " else c) for c in value)
    if type(value) is list and depth < 16:
        return "[%s]" % ",".join(canonical(item, depth + 1) for item in value)
    if type(value) is dict and depth < 16:
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{%s}" % ",".join(canonical(k) + ":" + canonical(value[k], depth + 1) for k in keys)
    raise Malformed


def is_text(value):
    return type(value) is str


def is_count(value):
    return type(value) is int and value >= 0


def nullable(test):
    return lambda value: value is None or test(value)


def matches(pattern):
    return lambda value: is_text(value) and re.fullmatch(pattern, value) is not None


def every(test):
    return lambda value: type(value) is list and all(map(test, value))


def has(**tests):
    return lambda value: type(value) is dict and set(value) == set(tests) and all(
        test(value[name]) for name, test in tests.items())


is_entry = has(
    seq=is_count, prev=matches("[0-9a-f]{64}"), actor=is_text, action=is_text, object=is_text,
    at=matches(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z"),
    run=nullable(matches("[0-9a-f]{8}")), purpose=nullable(is_text), policy=nullable(is_text),
    phase_before=nullable(matches(PHASES)), phase_after=nullable(matches(PHASES)), tool=is_text,
    counts=lambda value: type(value) is dict and all(map(is_count, value.values())),
    key_ids=every(lambda item: is_count(item) and item < 2**32),
    details=lambda value: type(value) is dict)


def read_entry(line):
    """Returns the entry, or None if the line is not the canonical form of one."""
    try:
        entry = json.loads(line.decode("utf-8"))
        return entry if is_entry(entry) and canonical(entry).encode("utf-8") == line else None
    except (ValueError, RecursionError):
        return None


# ── The check ────────────────────────────────────────────────────────────────────────────────────
FORKED = "forked: the checkpoint over %d entries tells another history"
BAD = "bad signature: %s is not signed by the ledger's key"
UNREADABLE = "malformed: line %d of `%s` cannot be read"


def read(folder, name, is_needed=True):
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        if is_needed:
            raise Cannot("the export has no file `%s`" % name)
        return b""


def unexplained(is_one, number):
    return ("inserted: line %d of `entries.jsonl` is not in the ledger" % number if is_one
            else UNREADABLE % (number, "entries.jsonl"))


def beyond_the_signature(lines, has_fragment, signed):
    """What is wrong where every signed entry is what was signed."""
    found, prev = [], bytes(32)
    for index, (leaf, place) in enumerate(lines):
        if index >= signed or place != (index, prev):
            found.append(unexplained(index >= signed and place, index + 1))
        prev = leaf
    return found + ([unexplained(None, len(lines) + 1)] if has_fragment else [])


def read_earlier(data, keys, found):
    if not data:
        return []
    text = text_of(data)
    if text is None or not text.endswith("\n"):
        found.append(UNREADABLE % (1, "checkpoints.txt"))
        return []
    checkpoints, line, pieces = [], 1, text[:-1].split("\n\n")
    for number in range(0, len(pieces), 2):
        body, signatures = (pieces[number:number + 2] + [""])[:2]
        try:
            checkpoints.append(parse_note((body + "\n\n" + signatures + "\n").encode(), keys))
        except Unsigned:
            place = "note %d of `checkpoints.txt`" % (number // 2 + 1)
            found.append(BAD % place)
        except ValueError:
            found.append(UNREADABLE % (line, "checkpoints.txt"))
        line += body.count("\n") + signatures.count("\n") + 4
    return checkpoints


def begin(keys_data, name, note, place, expected, since, found, notes):
    """Returns (keys, fingerprint, (size, root) that is signed, or None; and what was kept)."""
    if expected is not None and not re.fullmatch("[0-9a-fA-F]{64}", expected):
        raise Cannot("the fingerprint of a key is 64 hex digits")
    if expected is None:
        notes.append("no fingerprint was given: whose key signed was not checked")
    if since is None:
        notes.append("no earlier checkpoint was given: roll back and fork were not checked")
    keys, fingerprint = parse_keys(keys_data, name, expected, found, notes)
    if not keys:
        return keys, fingerprint, None
    try:
        return keys, fingerprint, parse_note(note, keys[-1:])
    except Unsigned:
        found.append(BAD % ("`%s`" % place))
    except ValueError:
        found.append(UNREADABLE % (1, place))
    return keys, fingerprint, None


def read_since(since, keys, size, found):
    """Returns (size, root) of the checkpoint that was kept, if it can be compared."""
    try:
        kept = since and parse_note(since, keys)
    except Unsigned:
        found.append(BAD % "the checkpoint given")
        return None
    except ValueError:
        raise Cannot("the checkpoint given is not a signed checkpoint")
    if kept and kept[0] > size:
        found.append("rolled back: %d entries are signed here, %d were signed before"
                     % (size, kept[0]))
        return None
    return kept


def where(folder, lines, has_fragment, signed):
    """It is not consistent; says where, if `locate.py` is here to find out."""
    sys.dont_write_bytecode = True
    try:
        import locate
    except ImportError:
        return ["altered: the entries are not what was signed; `locate.py` says where"], [], 0
    last = locate.head(read(folder, "head.txt", False), max(signed), signed[max(signed)])
    return locate.locate(lines, has_fragment, signed, last)


def check(folder, expected, since):
    """Returns (size, fingerprint, findings, notes) of an export."""
    found, notes = [], []
    entries, note = read(folder, "entries.jsonl"), read(folder, "checkpoint.txt")
    keys, fingerprint, newest = begin(read(folder, "public-key.txt"), "public-key.txt", note,
                                      "checkpoint.txt", expected, since, found, notes)
    if not newest:
        return 0, fingerprint, found, notes
    signed, forks = dict([newest]), set()
    for size, root in read_earlier(read(folder, "checkpoints.txt", False), keys, found):
        if signed.setdefault(size, root) != root:
            forks.add(size)
    size = max(signed)
    kept = read_since(since, keys, size, found)
    if kept and signed.setdefault(*kept) != kept[1]:
        forks.add(kept[0])
    *lines, fragment = entries.split(b"\n")
    parsed = [read_entry(line) for line in lines]
    found += unlinked(keys, filter(None, parsed))
    lines = [(leaf_hash(line), entry and (entry["seq"], bytes.fromhex(entry["prev"])))
             for line, entry in zip(lines, parsed)]
    fit = fits([leaf for leaf, _ in lines], signed)
    if fit.get(size):
        found += beyond_the_signature(lines, bool(fragment), size)
        forks.update(at for at, is_right in fit.items() if not is_right)
    else:
        located, more, proven = where(folder, lines, bool(fragment), signed)
        found, notes = found + located, notes + more
        if kept and kept[0] > proven:
            notes.append("the checkpoint over %d entries could not be compared" % kept[0])
    return size, fingerprint, found + [FORKED % at for at in sorted(forks)], notes


# ── Proofs and reports ───────────────────────────────────────────────────────────────────────────
is_hashes = every(matches("[0-9a-f]{64}"))
is_proof = has(schema=matches("sealift/proof/1"), keys=every(is_text), checkpoint=is_text,
               entries=every(has(seq=is_count, entry=is_text, proof=is_hashes)),
               consistency=nullable(has(since=is_text, proof=is_hashes)))
UNHELD = ("what the report says was not held against its entries: verdict, certificate, counts, "
          "approvals and all else; `sealift report verify` does that")


def read_proof(path):
    """Returns the proof in a file, and the report that carries it, or None."""
    data = read("", path).decode("utf-8", "replace")
    if data.lstrip().startswith("<"):
        data = data.partition('<script type="application/json" id="report">')[2]
        data = data.partition("</script>")[0]
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Cannot("`%s` is no proof and no report" % path)
    report = value if type(value) is dict and "proofs" in value else None
    value = report["proofs"] if report else value
    if not is_proof(value):
        raise Cannot("`%s` is no proof and no report with one" % path)
    return value, report


def unhex(texts):
    return [bytes.fromhex(text) for text in texts]


def check_proof(value, expected, since):
    """Returns (size, fingerprint, findings, notes) of a proof."""
    found, notes, more, old = [], [], [], None
    lines = "".join(key + "\n" for key in value["keys"]).encode()
    keys, fingerprint, newest = begin(lines, "keys", value["checkpoint"].encode(), "checkpoint",
                                      expected, since, found, notes)
    if not newest:
        return 0, fingerprint, found, notes
    (size, root), claim = newest, value["consistency"]
    if claim is not None:
        try:
            old = parse_note(claim["since"].encode(), keys)
            steps = unhex(claim["proof"])
            is_empty = old == (0, root_of([])) and not steps
            if not is_empty and (not 0 < old[0] <= size or grown(old[1], old[0], size, steps)
                                 != (old[1], root)):
                found.append(FORKED % old[0])
                old = None
        except ValueError:
            found.append(BAD % "the older checkpoint of the proof")
    kept = read_since(since, keys, size, found)
    if kept and (kept[0] == size or (old and kept[0] == old[0])):
        found += [FORKED % kept[0]] if kept[1] != (root if kept[0] == size else old[1]) else []
    elif kept and (old or claim is None):
        more.append("the checkpoint over %d entries could not be compared" % kept[0])
    lines = [item["entry"].encode("utf-8", "replace") for item in value["entries"]]
    parsed = [read_entry(line) for line in lines]
    found += unlinked(keys, filter(None, parsed))
    for item, line, entry in zip(value["entries"], lines, parsed):
        seq, steps = item["seq"], unhex(item["proof"])
        if (entry is None or entry["seq"] != seq or seq >= size
                or included(leaf_hash(line), seq, size, steps) != root):
            found.append("not in the ledger: entry %d does not lead to the signed root" % seq)
    return size, fingerprint, found, notes + more


def check_report(report):
    """Returns (findings, notes) of what a report says: here only whether it agrees with itself."""
    found, notes = [], [UNHELD]
    if report.get("schema") != "sealift/report/2":
        return found, notes
    try:
        word, verdict = report["certificate"]["word"], report["summary"]["verdict"]
        if report["certificate"]["status"] != "not_purged" and verdict != word:
            found.append("differs: the verdict of the report is not the word of its certificate")
        part = report["verification"]
        counts = part["counts"]
        passed = counts.get("mismatches") == 0 and not any(
            check["holds"] is False for check in part["checks"])
        if part["passed"] is not (passed if counts else None) or any(
                part[name] != counts.get(name, 0) for name in ("opened", "mismatches")):
            found.append("differs: the figures of the report's verification do not agree")
    except (AttributeError, KeyError, TypeError):
        found.append("differs: the report has not the shape that it names")
    return found, notes


def main():
    parser = argparse.ArgumentParser(description="Checks an export of a Sealift ledger.")
    parser.add_argument("dir", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--key", help="the fingerprint that `sealift init` printed")
    parser.add_argument("--since", help="a file with a checkpoint that was kept elsewhere")
    given = parser.parse_args()
    try:
        since = read("", given.since) if given.since else None
        if os.path.isfile(given.dir):
            proof, report = read_proof(given.dir)
            verdict = check_proof(proof, given.key, since)
            if report:
                verdict = verdict[:2] + tuple(map(list.__add__, verdict[2:], check_report(report)))
        else:
            verdict = check(given.dir, given.key, since)
    except (Cannot, OSError) as error:
        print("verify.py: %s" % error, file=sys.stderr)
        return 2
    size, fingerprint, found, notes = verdict
    if len(found) > 100:
        notes.append("%d more findings are left out" % (len(found) - 100))
    for kind, lines in (("finding", found[:100]), ("note", notes)):
        for line in lines:
            print("%s: %s" % (kind, line))
    if found:
        print("NOT consistent: %d findings" % len(found[:100]))
    else:
        print("consistent: %d entries, signed by %s" % (size, fingerprint))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""A stranger's verifier: written from docs/FORMATS.md alone, and from nothing that Sealift ships.

    python3 stranger.py DIR FINGERPRINT [CHECKPOINT]

Prints one word: `good`, or what is wrong. It follows the definitions as they stand there, not the
way in which Sealift computes them: roots by the recursion of RFC 6962, signatures by `openssl`.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile

# SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) up to its 32 bytes.
SPKI = bytes.fromhex("302a300506032b6570032100")


def sha256(data):
    return hashlib.sha256(data).digest()


def root_of(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return sha256(b"\1" + root_of(leaves[:middle]) + root_of(leaves[middle:]))


def signed(key, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        def put(name, data):
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(data)
            return path

        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin",
                   "-inkey", put("key", SPKI + key), "-in", put("message", message),
                   "-sigfile", put("signature", signature)]
        return subprocess.run(command, capture_output=True).returncode == 0


def checkpoint(note, keys):
    """(size, root) of a note that one of these (origin, id, key) has signed, or None."""
    body, _, signatures = note.rpartition("\n\n")
    body += "\n"
    for line in signatures.splitlines():
        name, _, encoded = line[2:].partition(" ")
        blob = base64.b64decode(encoded)
        for origin, key_id, key in keys:
            if name == origin and blob[:4] == key_id and signed(key, body.encode(), blob[4:]):
                origin_line, size, root, _ = body.split("\n")
                return (int(size), base64.b64decode(root)) if origin_line == origin else None
    return None


def main(folder, fingerprint, since):
    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    keys = []
    for line in read("public-key.txt").decode().splitlines():
        origin, key_id, encoded = line.split("+", 2)
        keys.append((origin, bytes.fromhex(key_id), base64.b64decode(encoded)[1:]))
    if fingerprint not in [sha256(key).hex() for _, _, key in keys]:
        return "wrong key"
    newest = checkpoint(read("checkpoint.txt").decode(), keys[-1:])
    if newest is None:
        return "bad signature"
    size, root = newest
    kept = None
    if since:
        with open(since, encoding="utf-8") as file:
            kept = checkpoint(file.read(), keys)
        if kept is None:
            return "bad signature"
        if kept[0] > size:
            return "rolled back"

    lines = read("entries.jsonl").split(b"\n")[:-1]
    leaves = [sha256(b"\0" + line) for line in lines]
    if len(leaves) >= size and root_of(leaves[:size]) == root:
        if len(leaves) > size:
            return "inserted"
        if kept and root_of(leaves[:kept[0]]) != kept[1]:
            return "forked"
        return introduced(lines, keys)
    places = [json.loads(line)["seq"] for line in lines]
    missing = set(range(size)) - set(places)
    if len(places) != len(set(places)) or len(places) > size:
        return "inserted"
    if missing:
        return "truncated" if min(missing) == len(places) else "removed"
    return "altered" if places == sorted(places) else "reordered"


def introduced(lines, keys):
    """Each key after the first is introduced by an entry that both have signed."""
    names = [line.split("+")[0] + "+" + line.split("+", 1)[1] for line in
             ("%s+%s+%s" % (origin, key_id.hex(), base64.b64encode(b"\1" + key).decode())
              for origin, key_id, key in keys)]
    entries = [json.loads(line) for line in lines]
    for at in range(1, len(keys)):
        def leads(entry):
            details = entry["details"]
            if entry["action"] != "ledger_key_rotated" or details["old_key"] != names[at - 1]:
                return False
            message = json.dumps({"ledger": keys[0][0], "new": names[at], "old": names[at - 1],
                                  "statement": "sealift/v1/ledger-key"}, separators=(",", ":"))
            return details["new_key"] == names[at] and all(
                signed(key[2], message.encode(), base64.b64decode(details[name]))
                for key, name in ((keys[at - 1], "signed_by_old"), (keys[at], "signed_by_new")))

        if not any(map(leads, entries)):
            return "unlinked key"
    return "good"


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))

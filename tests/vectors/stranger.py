"""Opens a vault on SQLite from docs/FORMATS.md alone: no code of Sealift's, another AES, another HKDF.

    python3 stranger.py VAULT RECOVERY-FILE

Prints an object a line: {"domain", "token", "type", "value"} for each entry, bytes in hex, then
{"reason"} for each sealed reason. Needs Python and nothing else; slow, and meant to be read.
"""

import hashlib
import hmac
import json
import sqlite3
import sys

# ── AES-256 and GCM, FIPS 197 and SP 800-38D ─────────────────────────────────────────────────────


def xtime(a):
    return (a << 1 ^ 0x11B) & 0xFF if a & 0x80 else a << 1


def sbox():
    # Powers of the generator 3, whose logarithms give inverses.
    powers, x = [], 1
    for _ in range(255):
        powers.append(x)
        x ^= xtime(x)
    box = [0x63] * 256
    for value in range(1, 256):
        b = powers[(255 - powers.index(value)) % 255]
        box[value] = b ^ 0x63
        for turn in range(1, 5):
            box[value] ^= (b << turn | b >> 8 - turn) & 0xFF
    return box


SBOX = sbox()


class Aes:
    def __init__(self, key):
        words, rcon = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
        for i in range(8, 60):
            word = list(words[-1])
            if i % 8 == 0:
                word = [SBOX[b] for b in word[1:] + word[:1]]
                word[0] ^= rcon
                rcon = xtime(rcon)
            elif i % 8 == 4:
                word = [SBOX[b] for b in word]
            words.append([a ^ b for a, b in zip(words[i - 8], word)])
        self.keys = [sum(words[i:i + 4], []) for i in range(0, 60, 4)]

    def encrypt(self, block):
        state = [a ^ b for a, b in zip(block, self.keys[0])]
        for number, key in enumerate(self.keys[1:], 1):
            state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if number < 14:
                mixed = []
                for column in (state[i:i + 4] for i in range(0, 16, 4)):
                    whole = column[0] ^ column[1] ^ column[2] ^ column[3]
                    mixed += [column[i] ^ whole ^ xtime(column[i] ^ column[(i + 1) % 4])
                              for i in range(4)]
                state = mixed
            state = [a ^ b for a, b in zip(state, key)]
        return bytes(state)


def gcm_open(key, nonce, ciphertext, tag, associated):
    aes = Aes(key)
    h = int.from_bytes(aes.encrypt(bytes(16)), "big")

    def times(x):
        result, v = 0, h
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                result ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        return result

    def pad(data):
        return data + bytes(-len(data) % 16)

    lengths = (len(associated) * 8).to_bytes(8, "big") + (len(ciphertext) * 8).to_bytes(8, "big")
    hashed, data = 0, pad(associated) + pad(ciphertext) + lengths
    for at in range(0, len(data), 16):
        hashed = times(hashed ^ int.from_bytes(data[at:at + 16], "big"))

    def stream(counter):
        return aes.encrypt(nonce + counter.to_bytes(4, "big"))

    expected = bytes(a ^ b for a, b in zip(hashed.to_bytes(16, "big"), stream(1)))
    if not hmac.compare_digest(expected, tag):
        raise ValueError("the tag does not fit")
    blocks = b"".join(stream(2 + i) for i in range((len(ciphertext) + 15) // 16))
    return bytes(a ^ b for a, b in zip(ciphertext, blocks))


# ── docs/FORMATS.md ──────────────────────────────────────────────────────────────────────────────


def fields(*parts):
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def u32(number):
    return number.to_bytes(4, "big")


def hkdf(salt, secret, info):
    extracted = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")


def xaes_open(key, nonce, sealed, associated):
    aes = Aes(key)
    block = int.from_bytes(aes.encrypt(bytes(16)), "big")
    k1 = block << 1 & (1 << 128) - 1 ^ (0x87 if block >> 127 else 0)
    derived = b"".join(
        aes.encrypt((int.from_bytes(bytes([0, i, 0x58, 0]) + nonce[:12], "big") ^ k1)
                    .to_bytes(16, "big")) for i in (1, 2))
    return gcm_open(derived, nonce[12:], sealed[:-16], sealed[-16:], associated)


def box_open(key, label, associated, box):
    commitment, nonce, sealed = box[:32], box[32:56], box[56:]
    if hkdf(nonce, key, label + b"/commit") != commitment:
        raise ValueError("a wrong key")
    return xaes_open(hkdf(nonce, key, label + b"/key"), nonce, sealed, associated)


def recovery_code(text):
    text = "".join(c for c in text.lower() if not c.isspace() and c != "-")
    text = text.replace("o", "0").replace("i", "1").replace("l", "1")
    number = 0
    for c in text:
        number = number << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(c)
    data = number.to_bytes(25, "big")
    code, check = data[:23], data[23:]
    if hashlib.sha256(fields(b"sealift/v1/recovery-code", code)).digest()[:2] != check:
        raise ValueError("a slip of the pen in the recovery code")
    return code


KINDS = {"passphrase": 1, "recovery_code": 2, "key_file": 3}
PURPOSES = ["", "data", "token", "format", "run", "control", "index", "ledger"]
STATES = ["", "pre_activation", "active", "suspended", "deactivated", "compromised", "destroyed"]
TYPES = ["", "text", "integer", "real", "blob"]
NORMALISATIONS = ["none", "nfc", "casefold", "trim", "digits"]


def unwrap(root, vault, number, purpose, subject, version, state, created, changed, wrapped):
    if wrapped[:6] != b"SLWK\1\1":
        raise ValueError("no wrapped key")
    associated = fields(b"sealift/v1/wrap", b"\1", b"\1", vault, u32(number), bytes([purpose]),
                        subject.encode(), u32(version), bytes([state]), created.encode(),
                        changed.encode())
    return box_open(root, b"sealift/v1/wrap", associated, wrapped[6:])


def open_root(database, vault, code):
    for (body,) in database.execute("SELECT body FROM sealift_slot"):
        slot = json.loads(body)
        if slot["kind"] != "recovery_code":
            continue
        salt = bytes.fromhex(slot["salt"])
        associated = fields(b"sealift/v1/slot", b"\1", b"\1", vault, u32(slot["id"]),
                            bytes([KINDS[slot["kind"]]]), u32(0), u32(0), u32(0), salt)
        key = hkdf(salt, code, b"sealift/v1/slot/recovery-code")
        return box_open(key, b"sealift/v1/slot", associated, bytes.fromhex(slot["wrapped"]))
    raise ValueError("no slot of this kind")


def main(path, recovery_file):
    database = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    vault_id, check = database.execute("SELECT vault, key_check FROM sealift_vault").fetchone()
    vault = bytes.fromhex(vault_id) if isinstance(vault_id, str) else vault_id
    with open(recovery_file, encoding="ascii") as file:
        root = open_root(database, vault, recovery_code(file.read()))
    associated = fields(b"sealift/v1/key-check", b"\1", b"\1", vault)
    known = box_open(root, b"sealift/v1/key-check", associated, check[6:])
    if check[:6] != b"SLKC\1\1" or known != b"sealift key check":
        raise ValueError("a wrong root key")

    keys, index = {}, None
    query = ("SELECT key, purpose, subject, version, state, created_at, changed_at, wrapped "
             "FROM sealift_key WHERE wrapped IS NOT NULL")
    for number, purpose, subject, version, state, created, changed, wrapped in (
            database.execute(query)):
        keys[number] = unwrap(root, vault, number, PURPOSES.index(purpose), subject, version,
                              STATES.index(state), created, changed, wrapped)
        if purpose == "index":
            index = keys[number]
    domains = {number: (name, NORMALISATIONS.index(json.loads(treatment)["normalise"]))
               for number, name, treatment in
               database.execute("SELECT domain, name, treatment FROM sealift_domain")}
    for domain, token, kind, envelope in database.execute(
            "SELECT domain, token, kind, envelope FROM sealift_entry"):
        name, normalisation = domains[domain]
        if envelope[:2] != b"\1\1":
            raise ValueError("an unknown envelope")
        key_id, nonce = envelope[2:6], envelope[6:30]
        associated = fields(b"sealift/v1/seal", b"\1", b"\1", vault, u32(domain), token, key_id,
                            bytes([kind]), bytes([normalisation]))
        value = xaes_open(keys[int.from_bytes(key_id, "big")], nonce, envelope[30:], associated)
        print(json.dumps({"domain": name, "token": token.hex(), "type": TYPES[kind],
                          "value": value.hex()}))
    for digest, sealed in database.execute("SELECT digest, sealed FROM sealift_reason"):
        if sealed[:1] != b"\1":
            raise ValueError("an unknown sealed reason")
        associated = fields(b"sealift/v1/reason", b"\1", vault, digest.encode())
        plain = box_open(index, b"sealift/v1/reason", associated, sealed[1:])
        if hashlib.sha256(plain).hexdigest() != digest:
            raise ValueError("another reason")
        print(json.dumps({"reason": plain[32:].decode()}))


if __name__ == "__main__":
    main(*sys.argv[1:])

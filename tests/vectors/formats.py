"""Computes formats.json: every format of docs/FORMATS.md, with another language and other libraries.

    python3 formats.py > formats.json          (needs the package `cryptography`, 45 or later)

The Rust tests compare with the file; neither side copies from the other. The file is frozen: a
version that is released must open these bytes for ever, so a change here is a new version there.
"""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def fields(*parts):
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def u32(number):
    return number.to_bytes(4, "big")


def xaes(key, nonce, plaintext, associated):
    """c2sp.org/XAES-256-GCM"""
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    block = int.from_bytes(ecb.update(bytes(16)), "big")
    k1 = (block << 1) & ((1 << 128) - 1)
    if block >> 127:
        k1 ^= 0b10000111
    derived = b""
    for counter in (1, 2):
        message = bytes([0, counter, ord("X"), 0]) + nonce[:12]
        derived += ecb.update((int.from_bytes(message, "big") ^ k1).to_bytes(16, "big"))
    return AESGCM(derived).encrypt(nonce[12:], plaintext, associated)


def hkdf(salt, secret, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def committed(key, label, associated, nonce, secret):
    commitment = hkdf(nonce, key, label + b"/commit")
    return commitment + nonce + xaes(hkdf(nonce, key, label + b"/key"), nonce, secret, associated)


def base32(data):
    standard, ours = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghjkmnpqrstvwxyz"
    text = base64.b32encode(data).decode().rstrip("=")
    return text.translate(str.maketrans(standard, ours))


def mac(key, *parts):
    return hmac.new(key, fields(*parts), hashlib.sha256).digest()


ROOT, KEY, NONCE = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 88))
VAULT, SALT = bytes(range(96, 112)), bytes(range(112, 128))
TOKEN, VALUE = b"slk1_golden", b"alice@example.com"

seal_aad = fields(b"sealift/v1/seal", b"\1", b"\1", VAULT, u32(3), TOKEN, u32(7), b"\1", b"\2")
envelope = b"\1\1" + u32(7) + NONCE + xaes(KEY, NONCE, VALUE, seal_aad)

CREATED, CHANGED = b"2026-01-02T03:04:05Z", b"2026-02-03T04:05:06Z"
wrap_aad = fields(b"sealift/v1/wrap", b"\1", b"\1", VAULT, u32(7), b"\1", b"email", u32(2), b"\4",
                  CREATED, CHANGED)
wrapped = b"SLWK\1\1" + committed(ROOT, b"sealift/v1/wrap", wrap_aad, NONCE, KEY)

check_aad = fields(b"sealift/v1/key-check", b"\1", b"\1", VAULT)
key_check = b"SLKC\1\1" + committed(ROOT, b"sealift/v1/key-check", check_aad, NONCE,
                                    b"sealift key check")


def slot(number, kind, cost, slot_key):
    aad = fields(b"sealift/v1/slot", b"\1", b"\1", VAULT, u32(number), bytes([kind]),
                 u32(cost[0]), u32(cost[1]), u32(cost[2]), SALT)
    return {"version": 1, "id": number,
            "kind": {1: "passphrase", 2: "recovery_code", 3: "key_file"}[kind],
            **({"argon2id": dict(zip(("m_kib", "t", "p"), cost))} if kind == 1 else {}),
            "salt": SALT.hex(),
            "wrapped": committed(slot_key, b"sealift/v1/slot", aad, NONCE, ROOT).hex()}


COST = (65536, 3, 4)
PASSPHRASE = "caf\u00e9 au lait"
stretched = Argon2id(salt=SALT, length=32, iterations=COST[1], lanes=COST[2],
                     memory_cost=COST[0]).derive(PASSPHRASE.encode())

CODE = bytes(range(200, 223))
code_check = hashlib.sha256(fields(b"sealift/v1/recovery-code", CODE)).digest()[:2]
symbols = base32(CODE + code_check)
code_text = "-".join(symbols[at:at + 5] for at in range(0, 40, 5))

SECRET = bytes(range(128, 160))
signer = Ed25519PrivateKey.from_private_bytes(hkdf(b"", SECRET, b"sealift/v1/approve"))

print(json.dumps({
    "root_key": ROOT.hex(), "vault": VAULT.hex(), "nonce": NONCE.hex(), "salt": SALT.hex(),
    "seal": {"data_key": KEY.hex(), "key_id": 7, "domain": 3, "token": TOKEN.decode(),
             "value_type": "text", "value": VALUE.decode(), "normalise": "casefold",
             "associated": seal_aad.hex(), "envelope": envelope.hex()},
    "wrap": {"key": KEY.hex(), "id": 7, "purpose": "data", "subject": "email", "version": 2,
             "state": "deactivated", "created_at": CREATED.decode(), "changed_at": CHANGED.decode(),
             "associated": wrap_aad.hex(), "wrapped": wrapped.hex()},
    "key_check": key_check.hex(),
    "slots": {"passphrase": PASSPHRASE, "recovery_code": code_text, "key_file": SECRET.hex(),
              "stored": [slot(1, 1, COST, stretched),
                         slot(2, 2, (0, 0, 0), hkdf(SALT, CODE, b"sealift/v1/slot/recovery-code")),
                         slot(3, 3, (0, 0, 0), hkdf(SALT, SECRET, b"sealift/v1/slot/key-file"))]},
    "recovery_code": {"bytes": CODE.hex(), "text": code_text},
    "row": {"control_key": KEY.hex(), "table": "caller", "fields": ["alice", "", "steward"],
            "mac": mac(KEY, b"sealift/v1/row", b"caller", b"alice", b"", b"steward").hex()},
    "digest": {"index_key": KEY.hex(), "label": "quarantine", "parts": ["customers", "4711"],
               "digest": mac(KEY, b"sealift/v1/digest", b"quarantine", b"customers",
                             b"4711")[:16].hex()},
    "hmac": {"token_key": KEY.hex(), "parts": ["test", "", VALUE.decode()],
             "mac": hmac.new(KEY, b"test" + VALUE, hashlib.sha256).hexdigest()},
    "credential": {"id": "00c0ffee", "secret": SECRET.hex(),
                   "text": "slc_00c0ffee_" + base32(SECRET),
                   "stored": hashlib.sha256(fields(b"sealift/v1/credential", SECRET)).hexdigest(),
                   "public": signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex(),
                   "message": "approve 7f3a0c11", "signature": signer.sign(b"approve 7f3a0c11").hex()},
}, indent=2, ensure_ascii=True))

"""WeChat's callback crypto, written from its document alone and not with the library the product uses.

If both sides used one library, a fault in it would cancel out. Checked against tests/vectors/wechat-vectors.json.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32   # PKCS7 to 32 bytes, although AES blocks have 16


def sign(*parts: str) -> str:
    """SHA-1 of the sorted parts: (token, timestamp, nonce) or, in secure mode, with the cipher text as the fourth."""
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def session_signature(session_key: str, text: str = "") -> str:
    """HMAC-SHA256 under the session_key as WeChat writes it (its base64 text, not the bytes)."""
    return hmac.new(session_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def jsapi_signature(ticket: str, nonce: str, timestamp: str, url: str) -> str:
    """What wx.config of the JS-SDK compares: raw values, url without its fragment."""
    return hashlib.sha1(f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}".encode()).hexdigest()


def _cipher(aes_key: str) -> Cipher[modes.CBC]:
    key = base64.b64decode(aes_key + "=")
    if len(key) != 32:
        raise ValueError("an EncodingAESKey has 43 characters")
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def encrypt(text: str, aes_key: str, appid: str, random: str | None = None) -> str:
    """base64 of AES-256-CBC over: 16 random bytes, length (4 bytes, network order), text, appid."""
    message = text.encode()
    raw = (random or os.urandom(8).hex()).encode() + struct.pack(">I", len(message)) + message + appid.encode()
    pad = BLOCK - len(raw) % BLOCK
    seal = _cipher(aes_key).encryptor()
    return base64.b64encode(seal.update(raw + bytes([pad]) * pad) + seal.finalize()).decode()


def decrypt(cipher_text: str, aes_key: str, appid: str) -> str:
    """The text again. Raises ValueError when key, padding or appid do not fit."""
    unseal = _cipher(aes_key).decryptor()
    raw = unseal.update(base64.b64decode(cipher_text)) + unseal.finalize()
    pad = raw[-1] if raw else 0
    if not 1 <= pad <= BLOCK or not raw.endswith(bytes([pad]) * pad):
        raise ValueError("wrong padding")
    raw = raw[:-pad]
    end = 20 + struct.unpack(">I", raw[16:20])[0]
    if raw[end:].decode() != appid:
        raise ValueError("wrong appid")
    return raw[20:end].decode()

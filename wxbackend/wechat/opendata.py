"""What a mini program's page may hand in signed or sealed with its session_key.

The product itself asks for a phone by code and keeps no session_key; these are for an institution's own mini program that still sends
rawData or encryptedData.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from wechatpy.crypto import WeChatWxaCrypto

from wxbackend.wechat.refusals import CodeRefused


def session_signature(session_key: str, data: str = "") -> str:
    """hmac-sha256 by the text of the session_key, 64 hex characters; of nothing, as /wxa/checksession wants it."""
    return hmac.new(session_key.encode(), data.encode(), hashlib.sha256).hexdigest()


def is_raw_data(raw_data: str, session_key: str, signature: str) -> bool:
    """Whether `raw_data` is as wx.getUserInfo gave it: sha1 over it and the session_key."""
    return hmac.compare_digest(hashlib.sha1((raw_data + session_key).encode()).hexdigest().encode(), signature.encode())


def open_data(appid: str, session_key: str, iv: str, encrypted_data: str) -> dict[str, Any]:
    """The object in encryptedData. Raises CodeRefused for another app's, another session's, or a damaged one: only a new login helps."""
    try:
        found = WeChatWxaCrypto(session_key, iv, appid).decrypt_message(encrypted_data)
        if isinstance(found, dict):
            return found
    except Exception:   # a wrong key shows as any of ten errors
        found = None
    raise CodeRefused

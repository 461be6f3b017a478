"""The simulator's own crypto against WeChat's published vectors."""

import ast
import json
from pathlib import Path

import pytest

from simulator import crypto

ROOT = Path(__file__).resolve().parents[2]
BOOK = json.loads((ROOT / "tests/vectors/wechat-vectors.json").read_text())
VECTORS = {v["id"]: v for v in BOOK["vectors"]}


def of(kind):
    return [pytest.param(v, id=v["id"]) for v in BOOK["vectors"] if v["kind"] == kind]


@pytest.mark.parametrize("v", of("url_signature"))
def test_a_url_signature_is_wechats(v):
    assert crypto.sign(v["token"], v["timestamp"], v["nonce"]) == v["signature"]


@pytest.mark.parametrize("v", of("callback_decrypt"))
def test_a_callback_opens_and_its_signature_fits(v):
    assert crypto.sign(v["token"], v["timestamp"], v["nonce"], v["encrypt"]) == v["msg_signature"]
    assert crypto.decrypt(v["encrypt"], v["encoding_aes_key"], v["appid"]) == v["plaintext"]


@pytest.mark.parametrize("v", [p for p in of("callback_encrypt") + of("callback_decrypt") if "random" in p.values[0]])
def test_the_cipher_text_is_wechats_byte_for_byte(v):
    assert crypto.encrypt(v["plaintext"], v["encoding_aes_key"], v["appid"], v["random"]) == v["encrypt"]


@pytest.mark.parametrize("v", of("wxa_session_hmac"))
def test_a_session_is_signed_as_wechats(v):
    assert crypto.session_signature(v["session_key"], v["data"]) == v["signature"]


@pytest.mark.parametrize("v", of("jssdk"))
def test_a_pages_signature_is_wechats(v):
    assert crypto.jsapi_signature(v["jsapi_ticket"], v["noncestr"], str(v["timestamp"]), v["url"]) == v["signature"]


@pytest.mark.parametrize("n", [n for n in BOOK["negative"] if VECTORS[n["base"]]["kind"] == "callback_decrypt"], ids=lambda n: n["id"])
def test_what_is_spoiled_is_noticed(n):
    v = VECTORS[n["base"]] | n["replace"]
    signed = crypto.sign(v["token"], v["timestamp"], v["nonce"], v["encrypt"]) == v["msg_signature"]
    if n["expect"] == "InvalidSignatureException":
        assert not signed
    else:
        with pytest.raises(ValueError):
            crypto.decrypt(v["encrypt"], v["encoding_aes_key"], v["appid"])


def test_the_simulator_shares_no_code_with_the_product():
    imported = set()
    for path in (ROOT / "simulator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {a.name.split(".")[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    assert not imported & {"wxbackend", "wechatpy", "config"}

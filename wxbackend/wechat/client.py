"""wechatpy's client, hardened: our token, one retry, our roots, a deadline, whole uploads, silent failures.

wechatpy 1.8.18 retries a refused token without end, fetches it without lock or timeout, sends an empty file
when it repeats an upload, and names Tencent's hosts in thirty places. All of its API methods pass through
`_request`, so that is where these are cured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import requests
from wechatpy import WeChatClient
from wechatpy.exceptions import WeChatClientException

from wxbackend.wechat import endpoints
from wxbackend.wechat.endpoints import Endpoint
from wxbackend.wechat.errcodes import TOKEN_ERRORS
from wxbackend.wechat.refusals import WeChatAway, refusal
from wxbackend.wechat.tokens import Tokens
from wxbackend.wechat.transport import Line

TENCENT_API = "https://api.weixin.qq.com"
TENCENT_MP = "https://mp.weixin.qq.com"
ODD = (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError)   # JSON of a shape that WeChat never documented
LONGEST_TOKEN = 1024
USUAL_SECONDS = 7200


class Refused(NamedTuple):
    errcode: int
    errmsg: str


class WxClient(WeChatClient):
    """One app at WeChat: the public account, or the mini program. Shared by the threads of a process.

    Every call raises WeChatAway, WeChatRefused or one of its kin, and nothing of wechatpy's or requests' own.
    """

    def __init__(self, appid: str, secret: str, *, api_root: str, mp_root: str, timeout_seconds: float):
        super().__init__(appid, secret, timeout=timeout_seconds, auto_retry=False)
        self.roots = ((TENCENT_API, api_root.rstrip("/")), (TENCENT_MP, mp_root.rstrip("/")))
        self.API_BASE_URL = TENCENT_API + "/cgi-bin/"
        self.line = self._http = Line(api_root, timeout_seconds)
        self.tokens = Tokens(f"wechat:token:{appid}", self._fetch_token)

    @property
    def access_token(self) -> str:
        return self.tokens.current()

    def fetch_access_token(self) -> dict[str, str]:
        return {"access_token": self.tokens.renew(self.tokens.current())}

    def code_to_session(self, code: str) -> dict[str, Any]:
        """The mini program's code → {"openid", "session_key", "unionid"?}; no access token is fetched or sent."""
        return self.get(TENCENT_API + endpoints.LOGIN_CODE.path, params={
            "appid": self.appid, "secret": self.secret, "js_code": code, "grant_type": "authorization_code", "access_token": None})

    def oauth_to_user(self, code: str) -> dict[str, Any]:
        """A web login's code → {"openid", "unionid"?, "is_snapshotuser"?: 1, …}; unionid only with snsapi_userinfo."""
        return self.get(TENCENT_API + endpoints.OAUTH_CODE.path, params={
            "appid": self.appid, "secret": self.secret, "code": code, "grant_type": "authorization_code", "access_token": None})

    def call(self, endpoint: Endpoint, params: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None, *,
             max_bytes: int | None = None) -> dict[str, Any] | bytes:
        """The answer to one call. With `max_bytes` a file is expected: its bytes, or the JSON that WeChat sends in its place."""
        more: dict[str, Any] = {"data": dict(data)} if data is not None else {}
        if max_bytes is not None:
            more["max_bytes"] = max_bytes
        result = self._request(endpoint.method.lower(), TENCENT_API + endpoint.path, params=dict(params or {}), **more)
        return result.content if isinstance(result, requests.Response) else result

    def _request(self, method: str, url_or_endpoint: str, **kwargs: Any) -> Any:
        url = self._address(kwargs.pop("api_base_url", self.API_BASE_URL), url_or_endpoint)
        params = dict(kwargs.pop("params", None) or {})
        if kwargs.get("files"):
            kwargs["files"] = replayable(kwargs["files"])
        if isinstance(kwargs.get("data"), dict):
            kwargs |= {"data": encoded(kwargs["data"]), "headers": {"Content-Type": "application/json"}}
        tokenless = "access_token" in params   # the caller said so, with None
        token = params.setdefault("access_token", None) if tokenless else self.access_token
        outcome = self._once(method, url, params | {"access_token": token}, kwargs)
        if isinstance(outcome, Refused) and outcome.errcode in TOKEN_ERRORS and not tokenless:
            fresh = self.tokens.renew(token)
            if fresh != token:   # exactly one more try
                outcome = self._once(method, url, params | {"access_token": fresh}, kwargs)
        if isinstance(outcome, Refused):
            raise refusal(*outcome, token_call=tokenless)   # there the secret was sent: 40001 says that it is wrong
        return outcome

    def _once(self, method: str, url: str, params: dict[str, Any], kwargs: dict[str, Any]) -> Any:
        try:
            result = super()._request(method, url, params=params, **kwargs)
        except WeChatClientException as e:   # it holds the request with its URL: only the number and the text go on
            return Refused(int(e.errcode), str(e.errmsg))
        if isinstance(result, dict) or "result_processor" in kwargs and result is not None or "max_bytes" in kwargs and _is_file(result):
            return result
        raise WeChatAway("not the JSON we know", unsure=True)

    def _handle_result(self, res: requests.Response, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._handle_result(res, *args, **kwargs)
        except ODD:
            return None

    def _decode_result(self, res: requests.Response) -> Any:
        return res if _is_file(res) else super()._decode_result(res)

    def _address(self, base: str, url_or_endpoint: str) -> str:
        url = url_or_endpoint if url_or_endpoint.startswith(("http://", "https://")) else base + url_or_endpoint
        for tencent, ours in self.roots:
            if url.startswith(tencent + "/"):
                return ours + url.removeprefix(tencent)
        raise ValueError("a token goes to WeChat's own hosts only")

    def _fetch_token(self, force: bool) -> tuple[str, int]:
        """stable_token repeats one token to all askers, and other systems of the institution cannot invalidate it."""
        body = {"grant_type": "client_credential", "appid": self.appid, "secret": self.secret, "force_refresh": force}
        url = self._address("", TENCENT_API + endpoints.STABLE_TOKEN.path)
        response = self.line.request("post", url, data=encoded(body), headers={"Content-Type": "application/json"})
        answer = _parsed(response)
        if answer.get("errcode"):
            raise refusal(answer["errcode"], str(answer.get("errmsg")), token_call=True)
        token = answer.get("access_token")
        if not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN or not token.isascii() or not token.isprintable():
            raise WeChatAway("no token in the answer")
        return token, answer["expires_in"]


def encoded(body: dict[str, Any]) -> bytes:
    """JSON as WeChat wants it: UTF-8 with every character as itself (errcode 40033 is for those who send \\u4e2d)."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def replayable(files: Any) -> Any:
    """The files of an upload as bytes, so that a second try sends them again and not the empty rest."""
    def whole(part: Any) -> Any:
        if isinstance(part, tuple):   # (name, file, type…)
            return (part[0], _bytes(part[1]), *part[2:])
        return (str(getattr(part, "name", "file")).rsplit("/", 1)[-1], _bytes(part))

    return {k: whole(v) for k, v in files.items()} if isinstance(files, dict) else [(k, whole(v)) for k, v in files]


def _bytes(file: Any) -> Any:
    return file.read() if hasattr(file, "read") else file


def _is_file(result: Any) -> bool:
    """WeChat marks files as image/*, audio/*, video/* or a stream; its errors are JSON, sometimes called text/plain."""
    if not isinstance(result, requests.Response):
        return False
    kind = result.headers.get("Content-Type", "").split("/")[0].strip().lower()
    return kind in ("image", "audio", "video", "application") and "json" not in result.headers.get("Content-Type", "").lower()


def _parsed(response: requests.Response) -> dict[str, Any]:
    try:
        answer = json.loads(response.content)
        return answer | {"errcode": int(answer.get("errcode") or 0), "expires_in": int(answer.get("expires_in") or USUAL_SECONDS)}
    except ODD:
        pass
    raise WeChatAway("not the JSON we know")

"""Every address at WeChat that we call, in one list. docs/wechat.md has a row for each; a test holds both together."""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT, MINIPROGRAM = "account", "miniprogram"


@dataclass(frozen=True)
class Endpoint:
    """One address. `app`: whose token; "" = either. `feature`: what `can` calls it; "" = every app has it.

    is_repeatable: asked twice it does no more than once, so that "system busy" is answered by asking again.
    """

    method: str
    path: str
    app: str = ""
    feature: str = ""
    is_repeatable: bool = False


STABLE_TOKEN = Endpoint("POST", "/cgi-bin/stable_token")
CALLBACK_IPS = Endpoint("GET", "/cgi-bin/getcallbackip", is_repeatable=True)

AUTHORIZE = Endpoint("GET", "/connect/oauth2/authorize", ACCOUNT, "oauth")
OAUTH_CODE = Endpoint("GET", "/sns/oauth2/access_token", ACCOUNT, "oauth")
USER_INFO = Endpoint("GET", "/cgi-bin/user/info", ACCOUNT, "user-info", is_repeatable=True)
MEDIA = Endpoint("GET", "/cgi-bin/media/get", ACCOUNT, "media", is_repeatable=True)
CUSTOMER_MESSAGE = Endpoint("POST", "/cgi-bin/message/custom/send", ACCOUNT, "customer-message")
TEMPLATE_MESSAGE = Endpoint("POST", "/cgi-bin/message/template/send", ACCOUNT, "template-message")
MENU_CREATE = Endpoint("POST", "/cgi-bin/menu/create", ACCOUNT, "menu", is_repeatable=True)
MENU_MADE = Endpoint("GET", "/cgi-bin/menu/get", ACCOUNT, "menu", is_repeatable=True)   # the doctor's: only accounts with menus may ask
MENU_NOW = Endpoint("GET", "/cgi-bin/get_current_selfmenu_info", ACCOUNT, "console", is_repeatable=True)
REPLIES_NOW = Endpoint("GET", "/cgi-bin/get_current_autoreply_info", ACCOUNT, "console", is_repeatable=True)
SCENE_QR = Endpoint("POST", "/cgi-bin/qrcode/create", ACCOUNT, "scene-qr")
PAGE_TICKET = Endpoint("GET", "/cgi-bin/ticket/getticket", ACCOUNT, "jssdk", is_repeatable=True)

LOGIN_CODE = Endpoint("GET", "/sns/jscode2session", MINIPROGRAM, "login")
PHONE_CODE = Endpoint("POST", "/wxa/business/getuserphonenumber", MINIPROGRAM, "phone")
SUBSCRIBE_MESSAGE = Endpoint("POST", "/cgi-bin/message/subscribe/send", MINIPROGRAM, "subscribe-message")
PROGRAM_CODE = Endpoint("POST", "/wxa/getwxacodeunlimit", MINIPROGRAM, "code", is_repeatable=True)
PROGRAM_LINK = Endpoint("POST", "/wxa/generate_urllink", MINIPROGRAM, "link", is_repeatable=True)
CHECK_TEXT = Endpoint("POST", "/wxa/msg_sec_check", MINIPROGRAM, "check-text", is_repeatable=True)
CHECK_MEDIA = Endpoint("POST", "/wxa/media_check_async", MINIPROGRAM, "check-media")
RISK_RANK = Endpoint("POST", "/wxa/getuserriskrank", MINIPROGRAM, "risk-rank", is_repeatable=True)

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Endpoint))

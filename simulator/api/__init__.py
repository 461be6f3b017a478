"""api.weixin.qq.com and mp.weixin.qq.com: the calls of a mini program and of a public account."""

from simulator.api import account, checks, login, menus, messages, miniprogram, quotas

BLUEPRINTS = (quotas.bp, login.bp, account.bp, menus.bp, messages.bp, miniprogram.bp, checks.bp)

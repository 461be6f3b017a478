"""A worker in a process of its own: `python -m tests.wechat.asker API_ROOT REDIS_URL NAMESPACE FOLDER`.

Says "ready", waits for a line, then asks WeChat from four threads at once, pages and all, and prints what came as JSON.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from config.settings import Settings
from wxbackend import store, wechat

THREADS = 4

if __name__ == "__main__":
    api_root, redis_url, namespace, folder = sys.argv[1:]
    key = base64.b64encode(bytes(32)).decode()
    app = Flask("asker")
    app.extensions["settings"] = Settings(
        environment="test", instance_dir=folder, secret_key="test", data_key=key, redis_url=redis_url, store_namespace=namespace, workers=2,
        wechat_api_root=api_root, account_appid="wxaccount", account_secret="SECRET-A", account_token="tokenA", account_aes_key=key[:43])
    store.init_app(app)
    barrier = threading.Barrier(THREADS)

    def ask(_n: int) -> str:
        with app.app_context():
            barrier.wait()
            wechat.jssdk("http://127.0.0.1:8000/")
            return str(wechat.unionid_of("oMei"))

    with app.app_context():
        print("ready" if store.ping() else "no store", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(THREADS) as pool:
        print(json.dumps(list(pool.map(ask, range(THREADS)))), flush=True)

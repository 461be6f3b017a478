"""A WeChat for demos and tests: its servers, its callbacks and a phone to hold, on loopback only.

    app = simulator.create_app({"app_url": "http://127.0.0.1:8000", "account_token": "…", …})
    server, url = simulator.serve(app)

It imports nothing of the product and uses nothing the product uses for WeChat.
"""

from simulator.app import create_app, serve
from simulator.settings import Config

__all__ = ["Config", "create_app", "serve"]

"""What the demo's server process runs: the app, its worker and the captcha's shapes."""

from __future__ import annotations

import sys
import threading

from wxbackend import captcha, create_app, store
from wxbackend.front import Front
from wxbackend.jobs.worker import loop


def create() -> Front:
    app = create_app()
    with app.app_context():
        try:
            store.ping()
        except store.StoreRefused as e:   # another process holds the embedded store: said here and now, in one line
            sys.exit(f"wxbackend: {e}")
    threading.Thread(target=captcha.warm_up, daemon=True).start()
    threading.Thread(target=loop, args=(app, threading.Event()), daemon=True, name="worker").start()
    return Front(app)

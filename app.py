"""wxbackend. `python app.py` runs the demo: a living campaign, its staff site and a simulated WeChat, on this machine alone.

`flask --app app …` and a WSGI server use `create_app`.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):   # noqa: UP036  whoever has an older one should read why nothing starts
    sys.exit("wxbackend needs Python 3.11 or newer; this is " + sys.version.split()[0])

from importlib.util import find_spec

NEEDED = ("flask", "flask_smorest", "granian", "sqlalchemy", "wechatpy", "redis", "PIL", "zxingcpp")
missing = [name for name in NEEDED if find_spec(name) is None]
if missing:
    sys.exit(f"not installed: {', '.join(missing)}. Type these two lines:\n"
             "  python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.lock\n  .venv/bin/python app.py")

from wxbackend import create_app  # noqa: E402

__all__ = ["create_app"]

if __name__ == "__main__":
    from wxbackend.demo.serve import main

    main()

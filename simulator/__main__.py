"""python -m simulator --port 8100 --app-url http://127.0.0.1:8000, credentials from the environment as the product's."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from simulator import Config, create_app, serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="Plays WeChat on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8100, help="port to listen on; 0 takes a free one")
    parser.add_argument("--app-url", default="http://127.0.0.1:8000", help="where the product listens")
    wanted = parser.parse_args()
    try:
        config = Config.from_env(wanted.app_url).changed({"console_made": True})
        _server, url = serve(create_app(config), wanted.port)
    except KeyError as e:
        print(f"missing in the environment: {e.args[0]}", file=sys.stderr)
        return 2
    except (OSError, SystemExit):
        print(f"port {wanted.port} is taken; choose another with --port", file=sys.stderr)
        return 1
    print(f"simulated phone: {url}/", flush=True)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    done.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())

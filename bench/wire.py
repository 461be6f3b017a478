"""One kept HTTP/1.1 connection: a request's bytes out, an answer's status, head and body in. No more of HTTP than our servers speak."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Generator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

CHUNK = 65_536
END_OF_HEAD = b"\r\n\r\n"


class Ask(NamedTuple):
    """A request's bytes, under which kind it is counted, and how long somebody thinks before sending it."""

    kind: str
    raw: bytes
    pause_seconds: float = 0.0


class Response(NamedTuple):
    """`status` 0: the connection broke before the answer came."""

    status: int
    head: bytes
    body: bytes

    @property
    def text(self) -> str:
        """The body, unpacked where it came compressed."""
        raw = gzip.decompress(self.body) if self.header("Content-Encoding") == "gzip" else self.body
        return raw.decode()

    def header(self, name: str) -> str:
        """The first header of that name, "" where there is none."""
        for row in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = row.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return ""


BROKEN = Response(0, b"", b"")
Talk = Generator[Ask, Response, None]


def request(method: str, path: str, headers: Mapping[str, str] | None = None, *, data: Any = None, form: Mapping[str, str] | None = None,
            ) -> bytes:
    """A request as bytes, with a JSON body or a form's."""
    head = {"Host": "127.0.0.1"} | dict(headers or {})
    body = b""
    if data is not None:
        body, head["Content-Type"] = json.dumps(data).encode(), "application/json"
    elif form is not None:
        body, head["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
    if method == "POST":
        head["Content-Length"] = str(len(body))
    rows = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"{method} {path} HTTP/1.1\r\n{rows}\r\n".encode("latin-1") + body


def parse(data: bytes) -> Response | None:
    """The answer in `data`, or None while some of it is missing. Raises ValueError for one without a length or with more behind it."""
    end = data.find(END_OF_HEAD)
    if end < 0:
        return None
    head, status = data[:end], int(data[9:12])
    found = head.lower().find(b"\r\ncontent-length:")
    if found < 0 and status not in (204, 304):
        raise ValueError("an answer without Content-Length")
    length = 0 if found < 0 else int(head[found + 17:].split(b"\r\n", 1)[0])
    missing = end + 4 + length - len(data)
    if missing < 0:
        raise ValueError("more than one answer")
    return None if missing else Response(status, head, data[end + 4:])


class Line:
    """A connection to one server, opened at its first request and again after it broke."""

    __slots__ = ("_buffer", "_host", "_port", "_sock", "asked", "fileno", "is_waiting", "keeps", "kind", "talk")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._sock: socket.socket | None = None
        self._buffer = b""
        self.fileno = -1
        self.is_waiting = False
        self.keeps = True
        self.kind, self.asked = "", 0.0
        self.talk: Talk

    @property
    def fresh(self) -> bool:
        return self._sock is None

    def open(self) -> int:
        self._sock = socket.create_connection((self._host, self._port), 5)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.setblocking(False)
        self.fileno = self._sock.fileno()
        return self.fileno

    def send(self, raw: bytes) -> None:
        """Our requests are small: one that does not fit a fresh socket's buffer is a fault. Raises OSError."""
        assert self._sock is not None
        self.is_waiting = True
        if self._sock.send(raw) != len(raw):
            raise OSError("the request did not fit")

    def receive(self) -> Response | None:
        """The answer once it is whole. Raises OSError, ValueError (also for bytes nobody asked for)."""
        assert self._sock is not None
        data = self._sock.recv(CHUNK)
        if not data:
            raise ConnectionResetError("closed by the server")
        if not self.is_waiting:
            raise ValueError("an answer nobody asked for")
        if self._buffer:
            data = self._buffer + data
        response = parse(data)
        if response is None:
            self._buffer = data
            return None
        self._buffer, self.is_waiting = b"", False
        self.keeps = b"\r\nconnection: close" not in response.head.lower()
        return response

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._sock, self._buffer, self.fileno, self.is_waiting = None, b"", -1, False

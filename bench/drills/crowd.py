"""People who press 提交: many connections at once, each vote sent again until somebody answers for it."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bench.seed import SLUG, Citizen, Solved

CONNECTIONS = 48
PATIENCE_SECONDS = 60.0     # of one connection for one answer
PAUSE_SECONDS = 0.15        # before the same request is sent again
ID_CHARS = 16               # of a receipt's token: the id that stands in the database
ACKNOWLEDGED = (200, 201, 409)
NOTHING_SAID = (0, 503)
GRADES = "优良中差"


class Answer(NamedTuple):
    """`status` 0: the connection broke, or there was none."""

    status: int
    body: Any
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def receipt_id(self) -> str:
        """The receipt that was confirmed, "" where none was."""
        return receipt_id_of(self.body)


class Client:
    """One phone's connection, kept as long as the server keeps it."""

    def __init__(self, url: str) -> None:
        self._line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_SECONDS)

    def ask(self, method: str, path: str, citizen: Citizen, data: dict[str, Any] | None = None) -> Answer:
        began = time.monotonic()
        head = citizen.headers | ({"Content-Type": "application/json"} if data is not None else {})
        try:
            self._line.request(method, "/api/v1" + path, json.dumps(data).encode() if data is not None else None, head)
            said = self._line.getresponse()
            return Answer(said.status, _read(said.read()), began, time.monotonic())
        except (OSError, http.client.HTTPException):
            self._line.close()
            return Answer(0, None, began, time.monotonic())

    def send_and_hang_up(self, path: str, citizen: Citizen, data: dict[str, Any]) -> None:
        """The request goes out whole; nobody waits for the answer."""
        self._line.request("POST", "/api/v1" + path, json.dumps(data).encode(), citizen.headers | {"Content-Type": "application/json"})
        self._line.close()

    def close(self) -> None:
        self._line.close()


@dataclass
class Vote:
    """What one person sends, and what she was told."""

    citizen: Citizen
    captcha: Solved
    grade: str
    receipt_id: str = ""            # confirmed to her
    day: str = ""
    answers: list[Answer] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/campaigns/{SLUG}/ballots"

    @property
    def body(self) -> dict[str, Any]:
        return {"grade": self.grade, "captcha_id": self.captcha.captcha_id, "captcha_answer": self.captcha.answer}

    def hear(self, answer: Answer) -> None:
        self.answers.append(answer)
        if answer.status in ACKNOWLEDGED and answer.receipt_id:
            self.receipt_id, self.day = answer.receipt_id, answer.body["day"]

    @property
    def was_stored_untold(self) -> bool:
        """The first confirmation said that it had been there already."""
        first = next((a.status for a in self.answers if a.status in ACKNOWLEDGED), 201)
        return first != 201


class Rush:
    """All votes by `connections` at once. A vote that nobody answered for is sent again as it is, as a phone does; one that was refused
    (its captcha is spent) waits for afterwards."""

    def __init__(self, urls: Sequence[str], votes: Sequence[Vote], connections: int = CONNECTIONS, gives_up_after: float = 90.0) -> None:
        self.votes, self._urls = votes, urls
        self._next, self._until = iter(votes), time.monotonic() + gives_up_after
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._go, args=(n,), daemon=True) for n in range(connections)]
        self.done = 0

    def start(self) -> Rush:
        for thread in self._threads:
            thread.start()
        return self

    def wait_for(self, votes: int) -> None:
        """Until so many were confirmed or refused, or nobody votes any more."""
        while self.done < votes and any(thread.is_alive() for thread in self._threads):
            time.sleep(0.002)

    def stop(self) -> None:
        """Nobody begins a new vote, and nobody sends one again."""
        self._next, self._until = iter(()), 0.0

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def statuses(self) -> Counter[int]:
        return Counter(answer.status for vote in self.votes for answer in vote.answers)

    def _go(self, number: int) -> None:
        client = Client(self._urls[number % len(self._urls)])
        while (vote := self._take()) is not None:
            self._cast(client, vote)
        client.close()

    def _take(self) -> Vote | None:
        with self._lock:
            return next(self._next, None)

    def _cast(self, client: Client, vote: Vote) -> None:
        while True:
            answer = client.ask("POST", vote.path, vote.citizen, vote.body)
            vote.hear(answer)
            if answer.status not in NOTHING_SAID:
                with self._lock:
                    self.done += 1
                return
            if time.monotonic() > self._until:
                return
            time.sleep(PAUSE_SECONDS)


def votes_of(people: Sequence[Citizen], captchas: Sequence[Solved]) -> list[Vote]:
    return [Vote(citizen, captcha, grade) for citizen, captcha, grade in zip(people, captchas, itertools.cycle(GRADES), strict=False)]


def each(urls: Sequence[str], votes: Sequence[Vote], ask: Any, connections: int = CONNECTIONS) -> None:
    """`ask(client, vote)` for every vote, by many connections at once; what one of them raises is raised here."""
    coming, lock, raised = iter(votes), threading.Lock(), []

    def go(number: int) -> None:
        client = Client(urls[number % len(urls)])
        try:
            while True:
                with lock:
                    vote = next(coming, None)
                if vote is None:
                    return
                ask(client, vote)
        except Exception as e:
            raised.append(e)
        finally:
            client.close()

    threads = [threading.Thread(target=go, args=(n,)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in raised:
        raise error


def receipt_id_of(body: Any) -> str:
    """The id in a receipt's address, "" where there is none."""
    return str(body.get("receipt_url", "") if isinstance(body, dict) else "").rpartition("/")[2][:ID_CHARS]


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None

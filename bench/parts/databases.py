"""PostgreSQL and MariaDB of one run, set to lose nothing that they confirmed: not in a crash, not in a power cut."""

from __future__ import annotations

import glob
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from bench.parts.process import Given, Part, as_user, own_folder, program, running

NAME = "wxbackend"
POSTGRES = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "256MB", "max_connections": "400",
            "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "log_min_messages": "log"}
SMALL = {   # what a database needs so that a small disk is full when it is full, rather than after all it has put by
    "postgresql": {"wal_recycle": "off", "min_wal_size": "2MB", "max_wal_size": "8MB"}, "mariadb": {"innodb-log-file-size": "16M"}}
MARIADB = {"innodb-flush-log-at-trx-commit": "1", "innodb-doublewrite": "1", "innodb-flush-method": "O_DIRECT",
           "sync-binlog": "1",   # counts only where a binary log is kept; a single server keeps none
           "innodb-buffer-pool-size": "256M", "max-connections": "400", "bind-address": "127.0.0.1", "skip-name-resolve": "1",
           "character-set-server": "utf8mb4"}


class Database(Part):
    """A database server; `url` names its one database of ours."""

    admin = ""        # the database that is always there
    create = ""       # the statement that makes ours

    def answers(self) -> bool:
        return bool(self._run("SELECT 1"))

    def make(self) -> None:
        """Our empty database."""
        if not self._run(self.create):
            raise RuntimeError(f"{self.name} refused {self.create}:\n{self.said()}")

    def _run(self, statement: str) -> bool:
        engine = create_engine(self._url(self.admin), isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args={"connect_timeout": 5})
        try:
            with engine.connect() as line:
                line.execute(text(statement))
        except DBAPIError:
            return False
        return True

    @property
    def url(self) -> str:
        return self._url(NAME)

    def _url(self, database: str) -> str:
        raise NotImplementedError


class Postgres(Database):
    name, admin, create = "PostgreSQL", "postgres", f"CREATE DATABASE {NAME}"
    stop_signal = signal.SIGINT   # "fast": sessions are ended, nothing is lost

    def __init__(self, folder: Path, is_small: bool = False) -> None:
        super().__init__(folder, "postgres")
        self.data, self._options = folder / "data", POSTGRES | (SMALL["postgresql"] if is_small else {})
        subprocess.run([self._binary("initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                        f"--wal-segsize={1 if is_small else 16}"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user(self.user))

    def command(self) -> list[str]:
        options = [word for name, value in self._options.items() for word in ("-c", f"{name}={value}")]
        return [self._binary("postgres"), "-D", str(self.data), "-p", str(self.port), *options]

    def before_start(self) -> None:
        """The pid file of a killed server names a number that may be somebody else's by now; then it would refuse to start."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    @staticmethod
    def _binary(name: str) -> str:
        return program(name, "postgresql", *glob.glob("/usr/lib/postgresql/*/bin"))


class MariaDB(Database):
    name, admin, create = "MariaDB", "mysql", f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

    def __init__(self, folder: Path, is_small: bool = False) -> None:
        super().__init__(folder, "mysql")
        self.data, self._options = folder / "data", MARIADB | (SMALL["mariadb"] if is_small else {})
        subprocess.run([program("mariadb-install-db", "mariadb-server"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                        "--auth-root-authentication-method=normal"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **as_user(self.user))

    def command(self) -> list[str]:
        options = [f"--{name}={value}" for name, value in self._options.items()]
        return [program("mariadbd", "mariadb-server"), "--no-defaults", f"--datadir={self.data}", f"--port={self.port}",
                f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid", *options]

    def before_start(self) -> None:
        for left in ("pid", "socket"):
            (self.folder / left).unlink(missing_ok=True)

    def _url(self, database: str) -> str:
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{database}"


def own_postgres(size: str = "") -> AbstractContextManager[Any]:
    """A PostgreSQL of this run; with `size` ("256m") on a small disk of its own. Raises PartMissing."""
    return _given("postgres") or _own(Postgres, "postgres", size)


def own_mariadb(size: str = "") -> AbstractContextManager[Any]:
    """A MariaDB of this run; `size` as above. Raises PartMissing."""
    return _given("mysql", "mariadb") or _own(MariaDB, "mariadb", size)


def own_database(engine: str, size: str = "") -> AbstractContextManager[Any]:
    """By name: postgresql or mariadb; None for sqlite, which is a file of the app's."""
    owners = {"postgresql": own_postgres, "mariadb": own_mariadb}
    return owners[engine](size) if engine in owners else nullcontext()


def _given(*schemes: str) -> AbstractContextManager[Given] | None:
    url = os.environ.get("BENCH_DATABASE_URL", "")
    return nullcontext(Given(url)) if url.startswith(schemes) else None


@contextmanager
def _own(kind: Callable[[Path, bool], Database], name: str, size: str) -> Iterator[Database]:
    with own_folder(name, size) as folder, running(kind(folder, bool(size))) as part:
        part.make()
        yield part

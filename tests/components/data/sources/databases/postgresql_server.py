"""A PostgreSQL server of the tests' own: Debian's programs over a temporary folder, on a free port of loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.containers.s3_server import free_port

USER, PASSWORD = "naru", "p@ss/w:rd %41"
ENCODED = "p%40ss%2Fw%3Ard%20%2541"
DATABASE = "flights"


@dataclass(frozen=True)
class PostgreSqlServer:
    """Where it listens; its users need a password."""

    port: int
    programs: Path
    account: tuple[str, ...]
    """What is before a command so that it does not run as root, which the server refuses."""

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{ENCODED}@127.0.0.1:{self.port}/{DATABASE}"

    def run(self, *statements: str) -> str:
        """Run statements as the user, and return what they print."""
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        options = ["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port)]
        each = [part for statement in statements for part in ("-c", statement)]
        command = [str(self.programs / "psql"), *options, "-U", USER, "-d", DATABASE, *each]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def serving(folder: Path) -> Iterator[PostgreSqlServer]:
    """A server with an empty database, until the block ends.

    Args:
        folder: An empty folder, which a user other than root can reach.
    """
    programs = _find_programs()
    account: tuple[str, ...] = ()
    if os.geteuid() == 0:
        account = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    server = PostgreSqlServer(free_port(), programs, account)
    data, password = folder / "data", folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    _run(*account, programs / "initdb", "-D", data, "-U", USER, f"--pwfile={password}", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync")  # fmt: skip
    options = f"-p {server.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    control = [*account, programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w"]
    _run(*control, "-o", options, "start")
    try:
        connect = f"postgresql://{USER}:{ENCODED}@127.0.0.1:{server.port}/postgres"
        _run(programs / "psql", "-X", "-q", connect, "-c", f"CREATE DATABASE {DATABASE}")
        yield server
    finally:
        _run(*control, "-m", "immediate", "stop")


def _find_programs() -> Path:
    """The folder of initdb; skips the test where there is no server."""
    found = shutil.which("initdb")
    folders = (
        [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    folders = [folder for folder in folders if (folder / "initdb").exists()]
    if not folders:
        pytest.skip("no PostgreSQL server is installed (Debian, Ubuntu: apt-get install postgresql)")
    return folders[0]


def _run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, f"{command}: {done.stderr}"

"""What kfp.local starts in place of Python for each stage: a thin client of a process that has the imports already.

Importing TensorFlow and its companions takes several seconds in every process that needs them. One server per run pays
that once (`forkserver.py`); this client hands it the command, the environment and its own standard streams, waits, and
ends as the stage ended. A stage that needs no TensorFlow is started as an ordinary process at once.

It runs in an isolated interpreter that imports only what stands below, so it starts in a few milliseconds.
"""

import array
import json
import os
import signal
import socket
import sys
import time

SOCKET = "NARU_FORKSERVER"
PLAIN_STAGES = ("ingest",)
"""Stages that start as a process of their own: they need little, and run while the server is still importing."""

_CONNECT_SECONDS = 180.0


def main(stand_in: str, python: str, arguments: list[str]) -> int:
    """Run `python arguments...`, forked from the server when it pays.

    Args:
        stand_in: The path that kfp.local took for Python's. It wrote it wherever a value held the word `python3`; the
            word is put back here.
        python: The real interpreter.
        arguments: What Python was to be called with.
    """
    arguments = [argument.replace(stand_in, "python3") for argument in arguments]
    log = _Log(arguments)
    if os.environ.get(SOCKET) and not any(_function(arguments) == name for name in PLAIN_STAGES):
        code = _run_forked(arguments, log)
    else:
        code = _run_plain(python, arguments, log)
    log.write(ended=time.time(), exit_code=code)
    return code


class _Log:
    """`launch.json` in the stage's folder: when it was asked for, began and ended, and how."""

    def __init__(self, arguments: list[str]) -> None:
        self._values: dict[str, object] = {"stage": _function(arguments), "asked": time.time()}
        self._path = _folder(arguments)
        self.write()

    def write(self, **values: object) -> None:
        self._values.update(values)
        if not self._path:
            return
        os.makedirs(self._path, exist_ok=True)
        aside = os.path.join(self._path, f".launch.{os.getpid()}")
        with open(aside, "w", encoding="utf-8") as file:
            json.dump(self._values, file)
        os.replace(aside, os.path.join(self._path, "launch.json"))


def _function(arguments: list[str]) -> str:
    return _after(arguments, "--function_to_execute")


def _folder(arguments: list[str]) -> str:
    raw = _after(arguments, "--executor_input")
    return os.path.dirname(json.loads(raw)["outputs"]["outputFile"]) if raw else ""


def _after(arguments: list[str], flag: str) -> str:
    return arguments[arguments.index(flag) + 1] if flag in arguments[:-1] else ""


def _run_plain(python: str, arguments: list[str], log: _Log) -> int:
    log.write(began=time.time())
    process = os.posix_spawn(python, [python, *arguments], os.environ)
    _forward_signals(process)
    return _exit_code(os.waitpid(process, 0)[1])


def _run_forked(arguments: list[str], log: _Log) -> int:
    with _connect(os.environ[SOCKET]) as connection:
        request = json.dumps({"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}).encode()
        streams = array.array("i", [0, 1, 2])
        connection.sendmsg([len(request).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        connection.sendall(request)
        answers = connection.makefile("r", encoding="utf-8")
        child = json.loads(answers.readline() or "{}").get("pid")
        if child is None:
            sys.stderr.write("naru: the process that holds the imports ended; see the run's log\n")
            return 1
        log.write(began=time.time(), pid=child)
        _forward_signals(child)
        ended = json.loads(answers.readline() or '{"status": 9}')
        log.write(max_rss_kib=ended.get("max_rss_kib"))
        return _exit_code(ended["status"])


def _connect(path: str) -> socket.socket:
    """Connect to the server, which listens as soon as it has its imports."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > deadline or os.path.exists(path + ".failed"):
                sys.stderr.write("naru: the process that holds the imports did not come up; see the run's log\n")
                sys.exit(1)
            time.sleep(0.02)


def _forward_signals(process: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, frame: os.kill(process, received))


def _exit_code(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))

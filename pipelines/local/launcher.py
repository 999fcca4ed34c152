"""The program that kfp.local starts in place of Python for each stage: it reuses an earlier run's outputs, or uses a fork server.

Importing TensorFlow and its companions takes several seconds in every process that needs them. One server per run pays
that once (`fork_server.py`); this client hands it the command, the environment and its own standard streams, waits, and
exits with the stage's exit code. A stage that needs no TensorFlow is started as an ordinary process at once. The server is started
when a stage first needs it, so a run that reuses everything never imports TensorFlow.

It runs in an isolated interpreter with the standard library alone, so it starts in a few milliseconds.
"""

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TextIO

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from components._core.errors import NaruError
from components._core.files import write_json
from components._core.stage.stage_end import ERROR_FILE, failed, list_records
from components.stages import STAGES
from pipelines.local import process_guard, stage_cache

SERVER = "NARU_FORKSERVER"
"""Environment: the folder of this run's fork server; empty: every stage does its own imports."""
_CONNECT_SECONDS = 180.0


def main(shim: str, python: str, arguments: list[str]) -> int:
    """Run `python arguments...`: from the cache, forked from the server, or as a separate process.

    Args:
        shim: The path that kfp.local uses as Python's. kfp.local also replaced the word `python3` in values by it; the
            word is restored here.
        python: The real interpreter.
        arguments: Arguments for Python.
    """
    arguments = [argument.replace(shim, "python3") for argument in arguments]
    task = Task(arguments)
    with process_guard.end_with_run(task.end):
        return _run(task, python, arguments)


def _run(task: "Task", python: str, arguments: list[str]) -> int:
    task.log(requested=time.time())
    if earlier := task.reuse():
        task.log(began=time.time(), ended=time.time(), exit_code=0, reused=earlier)
        return 0
    try:
        code = _run_forked(arguments, task) if _is_forked(task.stage, python) else _run_plain(python, arguments, task)
    except NaruError as error:
        code = task.fail(error)
    if code == 0:
        task.keep()
    task.log(ended=time.time(), exit_code=code)
    return code


def _is_forked(stage: str, python: str) -> bool:
    """Whether the fork server runs the stage; starts the server if the stage benefits from it.

    If everything before was reused, the last stages have little to do: no server is started for them.
    """
    if not os.environ.get(SERVER):
        return False
    folder = Path(os.environ[SERVER])
    spec = STAGES[stage] if stage else None
    if not (spec and spec.side_effects):
        start_server(folder, python)
    return not (spec and spec.own_process) and (folder / "started").exists()


class Task:
    """The KFP task that the arguments describe; another command (a model server) has no stage and no folder.

    Attributes:
        stage: The stage's name; empty without one.
        folder: Its folder, for `launch.json`: when it was requested, began and ended, and how.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.stage = _after(arguments, "--function_to_execute")
        raw = _after(arguments, "--executor_input")
        self._given: dict[str, Any] = json.loads(raw) if raw else {}
        self.folder = Path(self._given["outputs"]["outputFile"]).parent if raw else None
        self._launch: dict[str, object] = {"stage": self.stage}
        self._key = ""
        self.process = 0

    def log(self, **values: object) -> None:
        """Add to `launch.json`. On a full disk it is not written: the stage continues, and reports itself if it cannot."""
        self._launch.update(values)
        if self.folder is None:
            return
        aside = self.folder / f".launch.{os.getpid()}"
        with contextlib.suppress(OSError):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                aside.write_text(json.dumps(self._launch), encoding="utf-8")
                os.replace(aside, self.folder / "launch.json")
            finally:
                aside.unlink(missing_ok=True)

    def fail(self, error: NaruError) -> int:
        """Write the error beside the stage's outputs, as a stage does itself; returns the exit code."""
        sys.stderr.write(f"naru: {self.stage}: {error}\n")
        if self.folder is not None:
            with contextlib.suppress(OSError):
                write_json(self.folder / ERROR_FILE, failed(self.stage, error))
        return error.exit_code

    def end(self) -> None:
        """End the stage's separate process and this one, because the run is gone; the server ends its own children."""
        if self.process:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.killpg(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)
        process_guard.remove_run_folder()
        os._exit(128 + signal.SIGKILL)

    def reuse(self) -> str:
        """Reuse an earlier run's outputs if this task would make the same; returns that run's name, or an empty text."""
        if self.folder is None or not os.environ.get(stage_cache.HOME) or STAGES[self.stage].side_effects:
            return ""
        inputs = self._given.get("inputs", {})
        listed = {name: each["artifacts"][0] for name, each in inputs.get("artifacts", {}).items()}
        artifacts = {name: artifact["uri"] for name, artifact in listed.items()}
        self._key = stage_cache.key_of(self.stage, inputs.get("parameterValues", {}), artifacts)
        entry = stage_cache.find_entry(self.stage, self._key)
        if entry is None:
            return ""
        try:
            earlier = list_records(artifact.get("metadata", {}) for artifact in listed.values())
            stage_cache.reuse(self.stage, self._key, entry, self.folder, earlier)
        except OSError as error:  # no room, or the earlier run is being removed: the stage runs, and reports errors
            sys.stderr.write(f"naru: {self.stage}: run {entry['run']} cannot be reused: {error}\n")
            return ""
        return str(entry["run"])

    def keep(self) -> None:
        """Record the outputs for later runs; on a full disk they are only not reused."""
        if self._key and self.folder is not None:
            outputs = sorted(self._given["outputs"].get("artifacts", {}))
            try:
                stage_cache.keep(self.stage, self._key, self.folder, outputs)
            except OSError as error:
                sys.stderr.write(f"naru: {self.stage}: cannot be reused by later runs: {error}\n")


def start_server(folder: Path, python: str) -> None:
    """Start the run's fork server, unless it was started; it ends when the run closes its end of the pipe `alive`."""
    try:
        os.close(os.open(folder / "started", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return
    command = [python, "-m", "pipelines.local.fork_server", str(folder / "socket")]
    with (folder / "alive").open("rb") as alive, (folder / "log").open("ab") as log:
        server = subprocess.Popen(command, stdin=alive, stdout=log, stderr=log, start_new_session=True)
    (folder / "pid").write_text(str(server.pid), encoding="ascii")


def _after(arguments: list[str], flag: str) -> str:
    return arguments[arguments.index(flag) + 1] if flag in arguments[:-1] else ""


def _run_plain(python: str, arguments: list[str], task: Task) -> int:
    task.process = _spawn([python, *arguments])
    task.log(began=time.time(), pid=task.process)
    _forward_signals(task.process)
    _, status, usage = os.wait4(task.process, 0)
    task.log(max_rss_kib=usage.ru_maxrss)
    return _exit_code(status)


def _spawn(command: list[str]) -> int:
    """Start a process in its own group, which the system ends when this process ends."""
    launcher = os.getpid()
    process = os.fork()
    if process == 0:
        try:
            os.setpgid(0, 0)
            process_guard.die_with_parent(launcher)
            os.execv(command[0], command)  # noqa: S606 - no shell is wanted
        finally:
            os._exit(127)
    return process


def _run_forked(arguments: list[str], task: Task) -> int:
    with _connect(Path(os.environ[SERVER])) as connection:
        request = json.dumps(
            {"arguments": arguments, "environment": dict(os.environ), "folder": str(Path.cwd())}
        ).encode()
        streams = array.array("i", [0, 1, 2])
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the server is gone: no answer follows
            connection.sendmsg([len(request).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
            connection.sendall(request)
        answers = connection.makefile("r", encoding="utf-8")
        child = json.loads(_read_answer(answers) or "{}").get("pid")
        if child is None:
            raise _server_gone()
        task.log(began=time.time(), pid=child)
        _forward_signals(child)
        ended = json.loads(_read_answer(answers) or '{"status": 9}')
        task.log(max_rss_kib=ended.get("max_rss_kib"))
        return _exit_code(ended["status"])


def _connect(folder: Path) -> socket.socket:
    """Connect to the server, which listens once its imports are done.

    Raises:
        NaruError: When the server ended, or takes too long.
    """
    deadline = time.monotonic() + _CONNECT_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            connection.connect(str(folder / "socket"))
            return connection
        connection.close()
        if (folder / "socket.failed").exists():
            raise NaruError(
                "the process that imports the libraries could not import them", remedy="the run's log has the traceback"
            )
        if _is_gone(folder / "pid"):
            raise _server_gone()
        if time.monotonic() > deadline:
            message = f"the process that imports the libraries took longer than {_CONNECT_SECONDS:.0f} s"
            raise NaruError(
                message, remedy="the machine or its disk is very busy: run again; what was finished is kept"
            )
        time.sleep(0.02)


def _is_gone(pid: Path) -> bool:
    """Whether the process of a pid file has ended; a zombie counts as ended."""
    try:
        process = int(pid.read_text(encoding="ascii"))
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except ValueError:
        return False  # being written
    except OSError:
        return pid.exists() and Path("/proc/self/stat").exists()
    return state.rpartition(")")[2].split()[0] in ("Z", "X")


def _server_gone() -> NaruError:
    remedy = "give the machine more memory, or end what else takes it; run again: what was finished is kept"
    return NaruError("the process that imports the libraries was killed (out of memory?)", remedy=remedy)


def _read_answer(answers: TextIO) -> str:
    """Read a line from the server; empty when it is gone."""
    try:
        return answers.readline()
    except ConnectionResetError:
        return ""


def _forward_signals(process: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, frame: os.kill(process, received))


def _exit_code(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))

"""A server process that imports what the stages need, once, and forks a child for each stage.

    python -m pipelines.local.fork_server SOCKET

The parent runs no TensorFlow operation, so a child has a library that is loaded and not yet started: that makes
forking safe here. A child gets its command over a Unix socket (see `launcher.py`); its failures do not affect the server.
When the connection closes before the child has ended (its launcher was killed), the child is killed; when the run that
started this process ends, standard input closes, and this process ends with all its children.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from components._core.stage.stage_spec import OF_FRAMEWORK, OF_PREPROCESSING
from pipelines.graphs.pipelines import TRAINING
from pipelines.local import process_guard

SHARED = (
    "kfp.dsl.executor",
    "pandas",
    "pyarrow.parquet",
    "components._core.stage.lifecycle",
    "components._core.report.html",
    "components._core.report.plots",
)
"""Modules that every stage needs."""

FRAMEWORK_IMPORTS = "NARU_FRAMEWORK_IMPORTS"
"""Environment: the modules of the project's framework, with commas between them."""
PREPROCESSING_IMPORTS = "NARU_PREPROCESSING_IMPORTS"
"""Environment: the modules that a preprocessing_fn needs; empty: the project has none."""
PREPROCESSING = ("tensorflow_transform.beam", "components.transform.preprocessing_graph")
"""What a project with a preprocessing_fn imports for it."""

Later = dict[str, tuple[str, ...]]


def plan_imports(environment: Mapping[str, str]) -> tuple[tuple[str, ...], Later]:
    """Plan the imports of a run: modules before the first child, and by stage those that are imported while it runs.

    The latter are imported on the second core: only later stages need them.

    Args:
        environment: What says which modules depend on the project.
    """
    chosen = {OF_FRAMEWORK: FRAMEWORK_IMPORTS, OF_PREPROCESSING: PREPROCESSING_IMPORTS}

    def modules(during: str) -> tuple[str, ...]:
        names = [name for stage in TRAINING.stages if stage.imports_during == during for name in stage.imports]
        found = [environment.get(chosen[name], "").split(",") if name in chosen else [name] for name in names]
        return tuple(dict.fromkeys(name for each in found for name in each if name))

    return (*SHARED, *modules("")), {stage: modules(stage) for stage in TRAINING.stage_names}


def main(path: str, preloaded: tuple[str, ...] | None = None, later: Later | None = None) -> int:
    """Import, listen on the socket at `path`, serve until standard input closes; returns the exit code.

    Args:
        path: The socket.
        preloaded: Modules before the first child; None: as the environment says.
        later: Modules by stage; None: the same.
    """
    planned = plan_imports(os.environ)
    preloaded, later = planned[0] if preloaded is None else preloaded, planned[1] if later is None else later
    os.environ["_KFP_RUNTIME"] = "true"
    gc.disable()  # imported objects stay alive: collecting garbage among them would take a quarter of the imports' time
    try:
        with process_guard.watch_pipe(0, _exit_unused):
            for name in preloaded:
                importlib.import_module(name)
    except Exception:  # noqa: BLE001 - any failed import is reported to the waiting launchers
        traceback.print_exc()
        Path(path + ".failed").touch()
        return 1
    with contextlib.suppress(SystemExit):  # SIGTERM
        _Server(path, later).serve()
    return 0


def _exit_unused() -> None:
    process_guard.remove_run_folder()
    os._exit(0)


class _Server:
    def __init__(self, path: str, later: Mapping[str, tuple[str, ...]]) -> None:
        self._later = {stage: list(names) for stage, names in later.items()}
        self._children: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen()
        self._wake_read, self._wake_write = os.pipe()
        for descriptor in (self._wake_read, self._wake_write):
            os.set_blocking(descriptor, False)

    def serve(self) -> None:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        for thing in (self._listener, self._wake_read, sys.stdin):
            self._selector.register(thing, selectors.EVENT_READ)
        try:
            while self._step():
                pass
        finally:
            self._kill_children()

    def _kill_children(self) -> None:
        """Kill the children and wait until they are gone, so that none writes into a folder that is being removed."""
        for child in list(self._children):
            _kill(child)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)
        process_guard.remove_run_folder()

    def _step(self) -> bool:
        for key, _ in self._selector.select():
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj == self._wake_read:
                os.read(self._wake_read, 4096)
                self._reap()
            elif key.fileobj is sys.stdin:
                if not os.read(0, 4096):
                    return False
            else:
                self._handle_disconnect(key.fileobj)  # type: ignore[arg-type]
        return True

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        try:
            request, streams = _receive(connection)
        except (OSError, ValueError):
            connection.close()
            return
        server = os.getpid()
        gc.freeze()  # a child's collector ignores these objects, so their memory pages stay shared
        child = os.fork()
        if child == 0:
            gc.enable()
            process_guard.die_with_parent(server)
            signal.set_wakeup_fd(-1)
            self._close_in_child(connection)
            _run_as_child(request, streams)
        for descriptor in streams:
            os.close(descriptor)
        self._children[child] = connection
        self._selector.register(connection, selectors.EVENT_READ)
        _send(connection, {"pid": child})
        for stage, names in self._later.items():
            if stage in request["arguments"]:  # type: ignore[operator]
                self._import_more(names)

    def _close_in_child(self, connection: socket.socket) -> None:
        self._selector.close()
        for thing in (self._listener, connection, *self._children.values()):
            thing.close()
        for descriptor in (self._wake_read, self._wake_write):
            os.close(descriptor)

    def _import_more(self, names: list[str]) -> None:
        """Import what later stages need; the end of the child that runs meanwhile is noticed afterwards."""
        with process_guard.watch_pipe(0, self._kill_and_exit):
            while names:
                name = names.pop(0)
                try:
                    importlib.import_module(name)
                except Exception:  # noqa: BLE001 - see below
                    traceback.print_exc()  # the stage that needs it reports the error

    def _kill_and_exit(self) -> None:
        self._kill_children()
        os._exit(0)

    def _reap(self) -> None:
        while self._children:
            child, status, usage = os.wait4(-1, os.WNOHANG)
            if child == 0:
                return
            connection = self._children.pop(child, None)
            if connection is None:
                continue
            _send(
                connection,
                {"status": status, "max_rss_kib": usage.ru_maxrss, "cpu_seconds": usage.ru_utime + usage.ru_stime},
            )
            with contextlib.suppress(KeyError):  # the launcher disconnected first
                self._selector.unregister(connection)
            connection.close()

    def _handle_disconnect(self, connection: socket.socket) -> None:
        for child, other in list(self._children.items()):
            if other is connection:
                _kill(child)
        self._selector.unregister(connection)


def _receive(connection: socket.socket) -> tuple[dict[str, object], list[int]]:
    size = array.array("i").itemsize
    head, extra, _, _ = connection.recvmsg(8, socket.CMSG_SPACE(3 * size))
    streams = array.array("i")
    for level, kind, content in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            streams.frombytes(content[: len(content) - len(content) % size])
    left, parts = int.from_bytes(head, "big"), []
    while left:
        part = connection.recv(min(left, 1 << 20))
        if not part:
            raise ValueError("the request ended early")
        parts.append(part)
        left -= len(part)
    return json.loads(b"".join(parts)), list(streams)


def _send(connection: socket.socket, value: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # the launcher is gone
        connection.sendall(json.dumps(value).encode() + b"\n")


def _kill(child: int) -> None:
    """Kill a child and what it started: its group, or the child alone where it has just been forked and has none yet."""
    with contextlib.suppress(PermissionError):
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _run_as_child(request: dict[str, object], streams: list[int]) -> None:
    """In the child: take over streams, environment and arguments, run the module, end."""
    code = 1
    try:
        os.setpgid(0, 0)
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(request["environment"])  # type: ignore[call-overload]
        time.tzset()
        tempfile.tempdir = None  # the caller's differs from the server's
        os.chdir(str(request["folder"]))
        code = _run(request["arguments"])  # type: ignore[arg-type]
    except BaseException:  # noqa: BLE001 - a forked child must never return into the server's loop
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(arguments: list[str]) -> int:
    """Run `-m module arguments...` as Python would; returns the exit code."""
    if arguments[0] != "-m":
        raise ValueError(f"only -m MODULE can be run here, not {arguments[0]!r}")
    sys.argv = arguments[1:]
    sys.path[0] = str(Path.cwd())
    try:
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stdout.flush()
    sys.stderr.flush()
    # the interpreter would take TensorFlow's modules apart for a quarter of a second, and the run waits for that
    os._exit(code)

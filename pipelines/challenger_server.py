"""The version under test beside the champion of `naru serve`: its server, and the looks at the test until it has ended."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from components._core.errors import NaruError
from components._core.project.project_file import Project
from components._core.settings import Settings
from components._core.store.file_digests import digest_of_model, fetch_version
from components._core.store.ledger import Deployment
from components._core.store.live_tests import LiveTest, find_open, read_live_tests
from components.deploy.server_command import (
    live_test_arguments,
    log_arguments,
    process_command,
    server_arguments,
)
from components.deploy.targets.local.server_process import HOST, free_port

LOOK_SECONDS = 30.0
"""Time between two looks at a test, and between two starts of a server that has ended."""
_STOP_SECONDS = 15.0
_MOST_LOOKING = 0.05
"""Largest share of the time that looks take."""


class ChallengerServer:
    """Serves the version under test in a process, and judges the test when it is time.

    Args:
        command: Command of its server.
        log: File that the server writes to.
        test: The test.
        project: The project.
        settings: Settings with the store and MLflow.
        folder: The project's folder.
        every: Seconds between two looks.

    Attributes:
        test: The test.
        arguments: Options of the champion's server.
    """

    def __init__(
        self,
        command: list[str],
        log: Path,
        test: LiveTest,
        project: Project,
        settings: Settings,
        folder: Path,
        every: float,
    ) -> None:
        port = free_port()
        self.test = test
        self.arguments = live_test_arguments(project, settings.store, test.began, test.name, f"http://{HOST}:{port}")
        self._command, self._log = [*command, "--port", str(port)], log
        self._project, self._settings, self._folder, self._every = project, settings, folder, every
        self._closing = threading.Event()
        self._lock = threading.Lock()  # of starts and stops: none may be started after the last stop
        self._has_looked, self._next_look = False, 0.0
        self._said: dict[str, str] = {}  # the latest error of each step
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch, name="naru-live-test", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the server and the looks."""
        self._closing.set()
        with self._lock:
            self._stop()
        self._thread.join(_STOP_SECONDS)  # a look that the end of the process cuts off leaves a traceback

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def _watch(self) -> None:
        while not self._closing.wait(self._every):
            if time.monotonic() >= self._next_look and self._try("cannot judge the live test", self._look):
                return
            version = self.test.began.version
            self._try(f"cannot start the server of version {version} again", self._start_again_where_it_ended)

    def _try(self, what: str, step: Callable[[], bool]) -> bool:
        """Return what a step of the watch returns; False when it fails.

        Any error is printed, once in a row, and the next step tries again: the thread would end in silence, and with it the looks and the starts.
        """
        try:
            found = step()
        except Exception as error:  # noqa: BLE001 - see above
            text = str(error) if isinstance(error, NaruError) else f"{type(error).__name__}: {error}"
            if self._said.get(what) != text:
                print(f"naru: serve: {what}: {text}", file=sys.stderr, flush=True)
            self._said[what] = text
            return False
        self._said.pop(what, None)
        return found

    def _look(self) -> bool:
        """Look at the test; return whether it has ended, and its server with it.

        A look reads all lines of the test and all labels, 20 µs a line, and keeps none of them: what it kept would be a gigabyte for a million lines, and
        may be rewritten or removed meanwhile. So that a long test is no burden on this machine, looks are further apart then.
        """
        began = time.monotonic()
        has_ended = self._has_ended()
        now = time.monotonic()
        if self._has_looked:  # the first look also brings MLflow and PyArrow
            self._next_look = now + (now - began) / _MOST_LOOKING
        self._has_looked = True
        if has_ended:
            with self._lock:
                self._stop()
        return has_ended

    def _start_again_where_it_ended(self) -> bool:
        with self._lock:
            has_ended = self._process.poll() is not None and not self._closing.is_set()
            if has_ended:
                self._start_again()
        return has_ended

    def _start_again(self) -> None:
        code, version = self._process.returncode, self.test.began.version
        print(
            f"naru: serve: the server of version {version} ended with {code}; it is started again; its log is {self._log}",
            file=sys.stderr,
            flush=True,
        )
        if self._process.stdin:
            self._process.stdin.close()
        self._process = self._start()

    def _has_ended(self) -> bool:
        """Look at the test; print what came of it when it has ended."""
        # brings MLflow and PyArrow, after the server was started
        from components.deploy.live_test.settle import Look
        from components.deploy.settle.look import describe_look, look

        found = look(self._project, self._settings, self._folder, datetime.now(UTC))
        if found.test is not None and found.test.name != self.test.name:
            # this one has ended, and another has begun since
            tests = read_live_tests(self._settings.store, self._project.name)
            found = Look(next((each for each in tests if each.name == self.test.name), None))
        if found.test is None or found.test.ended is None:
            return False
        now = f"naru serve serves version {self.test.began.version} from its next start"
        after = now if found.test.ended.verdict == "promoted" else f"version {self.test.champion[0]} goes on alone"
        print("\n".join(["The live test has ended.", *describe_look(found), after]), flush=True)
        return True


@contextmanager
def challenger_beside(
    project: Project, settings: Settings, folder: Path, champion: Deployment, every: float = LOOK_SECONDS
) -> Iterator[ChallengerServer | None]:
    """Serve the version of the live test that goes on during a `with` block; None when none goes on beside this champion.

    Args:
        project: The project.
        settings: Settings with the store and MLflow.
        folder: The project's folder.
        champion: The champion that is served.
        every: Seconds between two looks.

    Raises:
        ModelError: When a file of the version is not the registered one.
        ServiceError: When its files are gone from the store, or a log is damaged.
    """
    test = find_open(read_live_tests(settings.store, project.name))
    if test is None or test.champion != champion.identity or project.serve.request_log is None:
        yield None
        return
    line = test.deployment(settings.store, project.name)
    with tempfile.TemporaryDirectory(prefix="naru-challenger-") as temporary:
        name = line.model.rstrip("/").rpartition("/")[2]
        parts = fetch_version(line.model, line.registration_sha256, Path(temporary), (name,), warn=False)
        model = parts / name
        arguments = server_arguments(model, project.name, line.version, project.serve, digest_of_model(model))
        if (
            test.began.mode == "ab"
        ):  # what it answers was returned; a shadow's answers are in the lines of the test only
            arguments += log_arguments(project, settings.store, labels=False)
        command = process_command(settings.python, arguments, HOST)
        server = ChallengerServer(command, Path(temporary) / "server.log", test, project, settings, folder, every)
        try:
            yield server
        finally:
            server.close()

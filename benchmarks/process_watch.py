"""Run a command and watch it: wall time, CPU time and, if wanted, the memory of all its processes, sampled ten times a second.

The kernel walks a process's pages to compute its share of them. Ten times a second that takes a third of a core and more, so
a run that is sampled so often does not count for time.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SAMPLES_PER_SECOND = 12
_SUBREAPER = 36  # prctl's PR_SET_CHILD_SUBREAPER
_PAGE_KIB = resource.getpagesize() // 1024


@dataclass(frozen=True)
class Sample:
    """Memory of a process tree at one moment.

    Attributes:
        at: When, in seconds since the epoch.
        summed_kib: Resident memory of each process, added up: pages that forked processes share count once in each.
        pss_kib: The same with shared pages divided among those that share them: what the tree really holds.
    """

    at: float
    summed_kib: int
    pss_kib: int


@dataclass(frozen=True)
class Watched:
    """What a command cost.

    Attributes:
        began: When it was started, in seconds since the epoch.
        seconds: From its start to its end.
        cpu_seconds: Of all its processes.
        others_cpu_seconds: Of everything else on the machine meanwhile: how quiet it was.
        exit_code: How it ended.
        samples: Its memory over time; none when it was not looked at closely.
    """

    began: float
    seconds: float
    cpu_seconds: float
    others_cpu_seconds: float
    exit_code: int
    samples: list[Sample] = field(repr=False)

    def peak(self, began: float = 0.0, ended: float = float("inf")) -> Sample:
        """The sample with the most memory in use between two moments; zeros when none was taken."""
        within = [sample for sample in self.samples if began <= sample.at <= ended]
        return max(within, key=lambda sample: sample.pss_kib, default=Sample(began, 0, 0))

    def peak_summed_kib(self) -> int:
        """The largest plain sum of resident memory."""
        return max((sample.summed_kib for sample in self.samples), default=0)


def watch(
    command: list[str], *, folder: Path, environment: dict[str, str], log: Path, output: Path, closely: bool
) -> Watched:
    """Run a command to its end.

    Args:
        command: What to run.
        folder: Where.
        environment: Its whole environment.
        log: Gets its standard error.
        output: Gets its standard output.
        closely: Sample its memory, at the cost of time.
    """
    _adopt_orphans()
    cpu, busy = _cpu_of_children(), busy_seconds()
    began, clock = time.time(), time.perf_counter()
    with log.open("wb") as errors, output.open("wb") as answers:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=answers, stderr=errors)
        with _sampled(closely) as samples:
            code = process.wait()
            seconds = time.perf_counter() - clock
    _reap()
    spent = _cpu_of_children() - cpu
    return Watched(began, seconds, spent, max(busy_seconds() - busy - spent, 0.0), code, samples)


@contextlib.contextmanager
def alone(lock: Path | None) -> Iterator[None]:
    """Hold a lock file exclusively, where others of the same machine keep to it; without one, do nothing."""
    if lock is None:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _sampled(closely: bool) -> Iterator[list[Sample]]:
    samples: list[Sample] = []
    if not closely:
        yield samples
        return
    ended = threading.Event()

    def sample() -> None:
        due = time.monotonic()
        while not ended.wait(max(due - time.monotonic(), 0)):
            due += 1 / SAMPLES_PER_SECOND
            samples.append(_memory(descendants(os.getpid())))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _memory(processes: list[int]) -> Sample:
    summed = proportional = 0
    for process in processes:
        with contextlib.suppress(OSError):  # it ended meanwhile
            resident = int(Path(f"/proc/{process}/statm").read_bytes().split()[1]) * _PAGE_KIB
            summed += resident
            proportional += _pss_kib(process, resident)
    return Sample(time.time(), summed, proportional)


def _pss_kib(process: int, resident: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return resident
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), resident)


def descendants(root: int) -> list[int]:
    """All processes below one, itself not among them; those whose parent died are ours by adoption."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # the name stands in parentheses and may hold anything; the parent is the second field behind it
                behind = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
                children.setdefault(int(behind[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _adopt_orphans() -> None:
    """A process whose parent ends becomes ours, so that none leaves the tree."""
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def _reap(patience: float = 10.0) -> None:
    """Wait for what the command left behind, so that its CPU time counts and the next measurement starts quiet."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(0.05)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def busy_seconds() -> float:
    """Of the whole machine, since it was started: all but idle and waiting for disks."""
    with Path("/proc/stat").open(encoding="ascii") as file:
        user, nice, system, _idle, _waiting, irq, softirq = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")

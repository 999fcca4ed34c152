"""Kill this process before its Nth write: every file that is opened for writing, linked, renamed or removed, and every process it starts."""

import os
import signal
import sys
from typing import Any

_EVENTS = {"os.link", "os.rename", "os.remove", "os.mkdir", "subprocess.Popen"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def kill_before_write(variable: str) -> None:
    """Watch this process; the environment variable holds the number of the write, counted from 1.

    With `COUNT_WRITES` in the environment, which names a file, the number of writes is left there instead.
    """
    limit, file = int(os.environ.pop(variable, "0")), os.environ.get("COUNT_WRITES", "")
    if not limit and not file:
        return
    count, busy = 0, False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count, busy
        writes = event in _EVENTS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES)
        if busy or not writes or "__pycache__" in str(arguments[0]):
            return
        count += 1
        if count == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        if file:
            busy = True
            with open(f"{file}.{variable}", "w") as out:  # noqa: PTH123 - within an audit hook
                out.write(str(count))
            busy = False

    sys.addaudithook(hook)

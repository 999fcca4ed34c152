"""A service of the cluster on a port of this machine, where it is not reached otherwise."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.containers.s3_server import free_port


@contextmanager
def forwarded(namespace: str, service: str, port: int) -> Iterator[str]:
    """The address of a service, through `kubectl port-forward`, until the block ends."""
    here = free_port()
    command = ["kubectl", "port-forward", "--namespace", namespace, f"service/{service}", f"{here}:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait(process, here, f"{namespace}/{service}")
        yield f"http://127.0.0.1:{here}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, name: str) -> None:
    for _ in range(300):
        if process.poll() is not None:
            message = process.stderr.read().decode() if process.stderr else ""
            raise AssertionError(f"the service {name} is not reached: {message[-500:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"the service {name} is not reached after 30 s")

"""A real container registry over a folder: the CNCF's distribution, as Debian packages it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.containers.engine import lacking
from tests.containers.s3_server import free_port, wait_until_listening


@contextmanager
def serving_registry(folder: Path, *, asks_who: bool = False) -> Iterator[str]:
    """Its host and port: loopback, where an engine speaks plain HTTP by default. `asks_who` refuses a client that is not logged in."""
    program = shutil.which("docker-registry")
    if not program:
        lacking("no docker-registry here (a package of Debian and Ubuntu; .ci/containers gets it)")
    port = free_port()
    config: dict[str, Any] = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if asks_who:
        config["auth"] = {"htpasswd": {"realm": "naru", "path": str(folder / "htpasswd")}}
    (folder / "registry.yml").write_text(json.dumps(config))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "registry.yml")], stdout=log, stderr=log)
    try:
        wait_until_listening(port, process, "the registry")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)

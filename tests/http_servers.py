"""HTTP servers of the tests, in a thread of their own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from typing import TypeVar

_Server = TypeVar("_Server", bound=HTTPServer)


@contextmanager
def running(server: _Server) -> Iterator[_Server]:
    """A server that answers during a `with` block, and is closed at its end."""
    with server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()

"""Refusals of HTTP requests before they are read as requests of a protocol; the other codes are in `refusals.py`.

no_request               400   the body is not a request of the protocol in JSON
not_found                404   a path that is not served
method_not_allowed       405   another method than this path allows
too_slow                 408   the request did not arrive in time
too_large                413   more bytes than one request may have
header_too_large         431   a head with more bytes than allowed
too_many_connections     503   no room for another connection
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_HOST = re.compile(rb"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]*")


def host_violation(hosts: Sequence[bytes], is_required: bool) -> str:
    """Say what is wrong with the Host headers of a request; empty: nothing.

    Args:
        hosts: Their values.
        is_required: Whether there must be one, as from HTTP/1.1 on.
    """
    if len(hosts) > 1 or (is_required and not hosts):
        return f"{len(hosts)} Host headers; exactly one is required (RFC 9112, 3.2)"
    return "" if all(map(_HOST.fullmatch, hosts)) else "the Host header is not a valid host"


class HttpRefusal(Exception):
    """A request that is refused for its HTTP head or the size of its body.

    Args:
        status: The HTTP status.
        reason: One of the codes in the module's docstring.
        message: What is wrong and what is allowed; safe to show to the client.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def body_too_large(most: int) -> HttpRefusal:
    """Make the refusal of a body above the bound, by its declared length or while it is read."""
    message = f"the body is larger than {most:,} bytes; send fewer rows in one request"
    return HttpRefusal(413, "too_large", message)

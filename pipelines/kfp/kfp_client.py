"""The border to a KFP server: its v2beta1 REST API over HTTP, and its answers as errors of ours.

kfp's own client takes seconds to import and hands on raw errors with every header in them; what we ask for is a dozen paths.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import certifi
import urllib3

from components._core.errors import ConfigError, NaruError, ServiceError, UnavailableError
from pipelines.kfp.connection import CA, NAMESPACE, TOKEN, TOKEN_PATH, Connection

Answer = dict[str, Any]

ROOT = "/apis/v2beta1"
_PAGE = 200
_RETRIES = urllib3.Retry(
    total=3, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504), allowed_methods=("GET",), raise_on_status=False
)
_TIMEOUT = urllib3.Timeout(connect=10, read=60)

_REMEDIES = {
    400: "correct what it names",
    401: f"the token is missing, wrong or has expired: make a new one ({TOKEN}, or {TOKEN_PATH})",
    403: f"ask for the permission in this namespace, or name another one ({NAMESPACE})",
    404: "somebody removed it meanwhile: run again",
    409: "somebody applied at the same time: run again; if it stays, look at who has the name in the KFP page",
    413: "something between here and the server refuses large requests: raise its limit",
}
_TRANSIENT = (429, 500, 502, 503, 504)


class ConflictError(ServiceError):
    """The server has an object of that name already."""


class Kfp:
    """A KFP server.

    Args:
        connection: Where it is and who we are.

    Raises:
        ConfigError: When what answers there is no KFP server, or it has several namespaces and none was named.
        ServiceError: When it does not let us in.
        UnavailableError: When nothing answers.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._pool = urllib3.PoolManager(
            retries=_RETRIES, timeout=_TIMEOUT, cert_reqs="CERT_REQUIRED", ca_certs=connection.ca or certifi.where()
        )
        health = self.get("/healthz")
        if health.get("multi_user") and not connection.namespace:
            message = "this KFP server keeps users apart, and no namespace is named"
            raise ConfigError(message, where=NAMESPACE, remedy="name your profile's")

    def get(self, path: str, **query: Any) -> Answer:
        """An object; None of its fields is sure to be there, as the server leaves out what is empty."""
        return self._json("GET", path, query)

    def find(self, path: str, **query: Any) -> Answer | None:
        """The same; None when there is none."""
        answer = self._ask("GET", path, query)
        return None if answer.status == 404 else self._read("GET", path, answer)

    def list_all(self, path: str, key: str, *predicates: Mapping[str, Any], **query: Any) -> Iterator[Answer]:
        """All objects of a list, page after page.

        Args:
            path: Of the list.
            key: The field that holds the objects.
            *predicates: What must hold of them, as the API's filter has it.
            **query: More of the query.
        """
        if predicates:
            query["filter"] = json.dumps({"predicates": predicates})
        answer = self.get(path, page_size=_PAGE, **query)
        yield from answer.get(key) or []
        for again in (
            "filter",
            "sort_by",
        ):  # the token holds them; given again, they need not look the same to the server
            query.pop(again, None)
        while token := answer.get("next_page_token"):
            answer = self.get(path, page_size=_PAGE, page_token=token, **query)
            yield from answer.get(key) or []

    def post(self, path: str, body: Any = None) -> Answer:
        """Make an object, or do what the path's last word says."""
        return self._json("POST", path, {}, body=json.dumps(body or {}).encode())

    def upload(self, path: str, file: str, content: str, /, **query: Any) -> Answer:
        """Send a file, as a form does."""
        return self._json("POST", path, query, fields={"uploadfile": (file, content, "application/yaml")})

    def delete(self, path: str, **query: Any) -> None:
        """Remove an object; one that is gone already is well."""
        answer = self._ask("DELETE", path, query)
        if answer.status != 404:
            self._read("DELETE", path, answer)

    def read_text(self, path: str) -> str:
        """What is there, as text; empty when the server cannot give it."""
        answer = self._ask("GET", path, {})
        return answer.data.decode("utf-8", "replace") if answer.status == 200 else ""

    def _json(self, verb: str, path: str, query: Mapping[str, Any], **sent: Any) -> Answer:
        return self._read(verb, path, self._ask(verb, path, query, **sent))

    def _ask(self, verb: str, path: str, query: Mapping[str, Any], **sent: Any) -> urllib3.BaseHTTPResponse:
        asked = {key: value for key, value in query.items() if value not in ("", None)}
        root = "" if path.startswith("/apis/") else ROOT
        url = f"{self.connection.endpoint}{root}{path}" + (f"?{urlencode(asked, quote_via=quote)}" if asked else "")
        kind = {} if "fields" in sent else {"Content-Type": "application/json"}
        headers = {"Accept": "application/json", **kind, **self.connection.headers()}
        try:
            return self._pool.request(verb, url, headers=headers, redirect=False, **sent)
        except urllib3.exceptions.MaxRetryError as error:
            raise self._unreachable(error.reason or error) from None
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from None

    def _read(self, verb: str, path: str, answer: urllib3.BaseHTTPResponse) -> Answer:
        body = _parsed(answer.data)
        if answer.status < 300 and body is not None:
            return body
        raise self._refused(verb, path, answer.status, body)

    def _refused(self, verb: str, path: str, status: int, body: Answer | None) -> NaruError:
        where = f"{self.connection.endpoint}{path}"
        if 300 <= status < 400:
            message = "sends us to another page, as proxies do with whom they do not know"
            return ServiceError(message, where=where, remedy=_REMEDIES[401])
        if body is None and status not in (401, 403, *_TRANSIENT):
            message = f"answers ({status}), but is no KFP server"
            return ConfigError(message, where=self.connection.endpoint, remedy=self.connection.remedy)
        kind = ConflictError if status == 409 else UnavailableError if status in _TRANSIENT else ServiceError
        remedy = _REMEDIES.get(status, "look at the server's log (kubectl logs deployment/ml-pipeline), then run again")
        return kind(f"{verb} was refused ({status}): {_message(body)}", where=where, remedy=remedy)

    def _unreachable(self, error: BaseException) -> NaruError:
        where = self.connection.endpoint
        if isinstance(error, urllib3.exceptions.SSLError):
            remedy = f"name the file of the authority that signed it ({CA}), or the address that it was made for"
            message = f"its certificate is not trusted here: {_plain(error)}"
            return ConfigError(message, where=where, remedy=remedy)
        message = f"no KFP server answers: {_plain(error)}"
        return UnavailableError(message, where=where, remedy=self.connection.remedy)


def _parsed(data: bytes) -> Answer | None:
    """The JSON object that was answered; None when it is none, as a proxy's page."""
    try:
        parsed = json.loads(data or b"{}")
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _message(body: Answer | None) -> str:
    """What the server says, in one line."""
    said = body or {}
    first: Answer = next(iter(said.get("details") or []), {})  # the error without the way that it came
    message = first.get("message") or said.get("message") or said.get("error_message") or "no reason given"
    line = " ".join(str(message).split())
    return line if len(line) <= 400 else f"{line[:400]}..."


def _plain(error: BaseException) -> str:
    """What the library says, without the address of its objects."""
    return str(error).rpartition(">: ")[2][:200]

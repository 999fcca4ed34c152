"""Client of a KFP server: its v2beta1 REST API over HTTP, with its errors as NaruErrors.

kfp's own client takes seconds to import and raises raw errors with every header in them; Naru needs a dozen paths.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import certifi
import urllib3

from components._core.errors import ConfigError, NaruError, ServiceError, UnavailableError
from components._kfp.connection import CA, NAMESPACE, TOKEN, TOKEN_PATH, Connection

JsonObject = dict[str, Any]

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
    404: "it was removed in the meantime: run again",
    409: "another apply ran at the same time: run again; if this persists, see who has the name in the KFP UI",
    413: "something between here and the server refuses large requests: raise its limit",
}
_TRANSIENT = (429, 500, 502, 503, 504)


class ConflictError(ServiceError):
    """The server has an object of that name already."""


class KfpClient:
    """A KFP server.

    Args:
        connection: Its address and the credentials.

    Raises:
        ConfigError: When another server answers there, or it has several namespaces and none is set.
        ServiceError: When it refuses the credentials.
        UnavailableError: When nothing answers.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._pool = urllib3.PoolManager(
            retries=_RETRIES, timeout=_TIMEOUT, cert_reqs="CERT_REQUIRED", ca_certs=connection.ca or certifi.where()
        )
        health = self.get("/healthz")
        if health.get("multi_user") and not connection.namespace:
            message = "this KFP server is multi-user, and no namespace is set"
            raise ConfigError(message, where=NAMESPACE, remedy="name your profile's namespace")

    def get(self, path: str, **query: Any) -> JsonObject:
        """Get an object; any field may be missing, because the server omits empty ones."""
        return self._json("GET", path, query)

    def find(self, path: str, **query: Any) -> JsonObject | None:
        """Get an object; None when it does not exist."""
        response = self._request("GET", path, query)
        return None if response.status == 404 else self._read_response("GET", path, response)

    def list_all(self, path: str, key: str, *predicates: Mapping[str, Any], **query: Any) -> Iterator[JsonObject]:
        """Yield all objects of a list, page by page.

        Args:
            path: Path of the list.
            key: Field of the response that has the objects.
            *predicates: Predicates of the API's filter.
            **query: Further query parameters.
        """
        if predicates:
            query["filter"] = json.dumps({"predicates": predicates})
        response = self.get(path, page_size=_PAGE, **query)
        yield from response.get(key) or []
        for again in (
            "filter",
            "sort_by",
        ):  # the token contains them; the server may refuse them if repeated
            query.pop(again, None)
        while token := response.get("next_page_token"):
            response = self.get(path, page_size=_PAGE, page_token=token, **query)
            yield from response.get(key) or []

    def post(self, path: str, body: Any = None) -> JsonObject:
        """Create an object, or perform the action at the end of the path."""
        return self._json("POST", path, {}, body=json.dumps(body or {}).encode())

    def upload(self, path: str, file: str, content: str, /, **query: Any) -> JsonObject:
        """Upload a file as a form."""
        return self._json("POST", path, query, fields={"uploadfile": (file, content, "application/yaml")})

    def delete(self, path: str, **query: Any) -> None:
        """Remove an object; no error if it does not exist."""
        response = self._request("DELETE", path, query)
        if response.status != 404:
            self._read_response("DELETE", path, response)

    def read_text(self, path: str) -> str:
        """Read a text; empty when the server does not have it."""
        response = self._request("GET", path, {})
        return response.data.decode("utf-8", "replace") if response.status == 200 else ""

    def _json(self, verb: str, path: str, query: Mapping[str, Any], **sent: Any) -> JsonObject:
        return self._read_response(verb, path, self._request(verb, path, query, **sent))

    def _request(self, verb: str, path: str, query: Mapping[str, Any], **sent: Any) -> urllib3.BaseHTTPResponse:
        parameters = {key: value for key, value in query.items() if value not in ("", None)}
        root = "" if path.startswith("/apis/") else ROOT
        url = f"{self.connection.endpoint}{root}{path}" + (
            f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
        )
        kind = {} if "fields" in sent else {"Content-Type": "application/json"}
        headers = {"Accept": "application/json", **kind, **self.connection.headers()}
        try:
            return self._pool.request(verb, url, headers=headers, redirect=False, **sent)
        except urllib3.exceptions.MaxRetryError as error:
            raise self._unreachable(error.reason or error) from None
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from None

    def _read_response(self, verb: str, path: str, response: urllib3.BaseHTTPResponse) -> JsonObject:
        body = _parsed(response.data)
        if response.status < 300 and body is not None:
            return body
        raise self._to_error(verb, path, response.status, body)

    def _to_error(self, verb: str, path: str, status: int, body: JsonObject | None) -> NaruError:
        where = f"{self.connection.endpoint}{path}"
        if 300 <= status < 400:
            message = "redirects to another page, as a proxy does when it needs a login"
            return ServiceError(message, where=where, remedy=_REMEDIES[401])
        if body is None and status not in (401, 403, *_TRANSIENT):
            message = f"answers ({status}), but is not a KFP server"
            return ConfigError(message, where=self.connection.endpoint, remedy=self.connection.remedy)
        kind = ConflictError if status == 409 else UnavailableError if status in _TRANSIENT else ServiceError
        remedy = _REMEDIES.get(status, "look at the server's log (kubectl logs deployment/ml-pipeline), then run again")
        return kind(f"{verb} was refused ({status}): {_message(body)}", where=where, remedy=remedy)

    def _unreachable(self, error: BaseException) -> NaruError:
        where = self.connection.endpoint
        if isinstance(error, urllib3.exceptions.SSLError):
            remedy = f"name the file of the authority that signed it ({CA}), or the address that it was issued for"
            message = f"its certificate is not trusted here: {_plain_message(error)}"
            return ConfigError(message, where=where, remedy=remedy)
        message = f"no KFP server answers: {_plain_message(error)}"
        return UnavailableError(message, where=where, remedy=self.connection.remedy)


def _parsed(data: bytes) -> JsonObject | None:
    """Parse the JSON object of a response; None for anything else, such as a proxy's page."""
    try:
        parsed = json.loads(data or b"{}")
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _message(body: JsonObject | None) -> str:
    """Format the server's error in one line."""
    said = body or {}
    first: JsonObject = next(iter(said.get("details") or []), {})  # the error without its call chain
    message = first.get("message") or said.get("message") or said.get("error_message") or "no reason given"
    line = " ".join(str(message).split())
    return line if len(line) <= 400 else f"{line[:400]}..."


def _plain_message(error: BaseException) -> str:
    """Return the library's message, without the addresses of its objects."""
    return str(error).rpartition(">: ")[2][:200]

"""Users of the bundled store, each with no more than it needs: stands beside the server, which nobody else asks as root.

| user, from the environment | may |
| --- | --- |
| RUNS_ACCESS_KEY, RUNS_SECRET_KEY | read and write the bucket: the stages |
| READER_ACCESS_KEY, READER_SECRET_KEY | read it: MLflow's pages of artifacts |
| SERVERS_ACCESS_KEY, SERVERS_SECRET_KEY | read it, and write request logs: model servers |

ROOT_ACCESS_KEY and ROOT_SECRET_KEY are the server's own. Looks again every minute, so that a store that was restored from a backup, or lost
its users, has them again. A key that changed comes with a new pod.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.sax.saxutils import escape

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.error import MinioException
from minio.signer import sign_v4_s3

ROLES = ("RUNS", "READER", "SERVERS")
LOGS = "requests"
"""Folder of a project's request log, below the project's own."""
READY = Path("/tmp/ready")  # noqa: S108 - in its pod alone; the readiness probe looks for it
_READ = ["s3:GetObject", "s3:GetObjectAttributes"]
_LOOK = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
_WRITE = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]


def policy_of(bucket: str, keys: Mapping[str, str]) -> dict[str, Any]:
    """The bucket's policy: who may do what in it.

    Args:
        bucket: Its name.
        keys: Access key by role.
    """
    whole, inside = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"
    logs = f"arn:aws:s3:::{bucket}/*/{LOGS}/*"
    rules = [
        ([keys[role] for role in ROLES], _LOOK, whole),
        ([keys[role] for role in ROLES], _READ, inside),
        ([keys["RUNS"]], [*_WRITE, "s3:DeleteObject"], inside),
        ([keys["SERVERS"]], _WRITE, logs),
    ]
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": who}, "Action": actions, "Resource": resource}
        for who, actions, resource in rules
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def own_bucket(endpoint: str, region: str, bucket: str, environment: Mapping[str, str]) -> None:
    """Say that the bucket is the root's, which a folder that was made by `mkdir` does not.

    Without an owner the server fails on every copy inside the bucket that another user asks for (500, seen with versitygw 1.8.0). It
    forgets the bucket's policy, so `set_users` comes after it.

    Args and errors as in `set_users`.
    """
    root = Credentials(environment["ROOT_ACCESS_KEY"], environment["ROOT_SECRET_KEY"])
    query = {"bucket": bucket, "owner": environment["ROOT_ACCESS_KEY"]}
    _asker(endpoint, region, root)("change-bucket-owner", query, "")


def set_users(endpoint: str, region: str, bucket: str, environment: Mapping[str, str]) -> None:
    """Make the users and the policy, or bring those that are there to what they should be.

    Args:
        endpoint: The server's address, `http://host:port`.
        region: The server's.
        bucket: Whose policy is set.
        environment: The keys, by the names above.

    Raises:
        OSError, MinioException: When the server does not take them.
    """
    root = Credentials(environment["ROOT_ACCESS_KEY"], environment["ROOT_SECRET_KEY"])
    ask = _asker(endpoint, region, root)
    for role in ROLES:
        key, secret = environment[f"{role}_ACCESS_KEY"], environment[f"{role}_SECRET_KEY"]
        fields = f"<Secret>{escape(secret)}</Secret><Role>user</Role>"
        if ask("create-user", {}, f"<Account><Access>{escape(key)}</Access>{fields}</Account>") == 409:
            _need(ask("update-user", {"access": key}, f"<MutableProps>{fields}</MutableProps>"), f"user of {role}")
    address = urlsplit(endpoint)
    client = Minio(address.netloc, root.access_key, root.secret_key, secure=address.scheme == "https", region=region)
    keys = {role: environment[f"{role}_ACCESS_KEY"] for role in ROLES}
    client.set_bucket_policy(bucket, json.dumps(policy_of(bucket, keys)))


def _asker(endpoint: str, region: str, root: Credentials) -> Callable[[str, dict[str, str], str], int]:
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(10), retries=False)

    def ask(what: str, query: dict[str, str], text: str) -> int:
        url = urlsplit(f"{endpoint}/{what}?{urlencode(query)}".rstrip("?"))
        digest, now = hashlib.sha256(text.encode()).hexdigest(), datetime.now(UTC)
        headers: dict[str, str | list[str] | tuple[str]] = {
            "Host": url.netloc,
            "x-amz-content-sha256": digest,
            "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
        }
        signed = sign_v4_s3(
            method="PATCH", url=url, region=region, headers=headers, credentials=root, content_sha256=digest, date=now
        )
        answer = pool.request(
            "PATCH", url.geturl(), body=text.encode(), headers={name: str(value) for name, value in signed.items()}
        )
        if answer.status not in (200, 201, 409):
            raise OSError(f"{what} was refused ({answer.status}): {answer.data[:200].decode('utf-8', 'replace')}")
        return int(answer.status)

    return ask


def _need(status: int, what: str) -> None:
    if status == 409:
        raise OSError(f"the store neither makes nor changes the {what}")


def main() -> None:
    """Set the users now and every minute, for as long as the server's pod lives."""
    reported, server = "", (os.environ["ENDPOINT"], os.environ["REGION"], os.environ["BUCKET"])
    while True:
        try:
            if not READY.exists():  # nobody asks yet, so nobody misses the policy meanwhile
                own_bucket(*server, os.environ)
            set_users(*server, os.environ)
            said = "users and policy are set"
            READY.touch()
        except (OSError, MinioException, urllib3.exceptions.HTTPError) as error:
            said = f"not set yet: {error}"
        if said != reported:
            print(said, file=sys.stderr, flush=True)
        reported = said
        time.sleep(60 if said.startswith("users") else 2)


if __name__ == "__main__":
    main()

"""Where S3's credentials come from when the environment has no keys; what a store does is in `tests/containers/test_s3.py`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from minio.credentials import providers

from components._core.errors import ConfigError
from components._core.store.s3 import S3FileSystem

ROLE = "arn:aws:iam::111122223333:role/naru-runner"
ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


@pytest.fixture
def in_eks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a pod whose service account has a role."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "token").write_text("signed-by-the-cluster")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")


@pytest.mark.usefixtures("in_eks")
@pytest.mark.parametrize("endpoint", ["", "https://bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com"])
def test_the_role_of_the_service_account_is_taken(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    urls: list[str] = []

    def answer(_client: Any, _method: str, url: str, **_: Any) -> Any:
        urls.append(url)
        return SimpleNamespace(data=ANSWER.encode())

    monkeypatch.setattr(providers, "_urlopen", answer)
    found = S3FileSystem()._client._provider.retrieve()
    assert (found.access_key, found.session_token) == ("ASIA1", "t")
    assert len(urls) == 1 and urls[0].startswith("https://sts.eu-central-1.amazonaws.com?")
    assert "WebIdentityToken=signed-by-the-cluster" in urls[0] and "naru-runner" in urls[0]


@pytest.mark.usefixtures("in_eks")
def test_a_role_that_is_refused_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_client: Any, _method: str, url: str, **_: Any) -> Any:
        raise ValueError("failed with HTTP status code 403")

    monkeypatch.setattr(providers, "_urlopen", refuse)
    with pytest.raises(ConfigError) as refused:
        S3FileSystem().exists("bucket/flights")
    assert "trust policy" in refused.value.remedy and "AWS_ACCESS_KEY_ID" not in refused.value.remedy

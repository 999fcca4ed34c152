"""What lies in an image's layers, one by one: what a later layer hides or deletes can still be read by everyone who has the image."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO

LARGEST_SECRET_FILE = 64 << 10  # bytes; what is larger is a library


@dataclass
class Layers:
    """Paths in all layers, without a leading slash, and the small files in which a secret was found."""

    image: str
    names: list[str] = field(default_factory=list)
    with_secrets: list[str] = field(default_factory=list)


def read_layers(image: str, secrets: Iterable[bytes]) -> Layers:
    """Read an image as the engine would send it, without a copy on disk."""
    layers, sought = Layers(image), list(secrets)
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        with tarfile.open(fileobj=saving.stdout, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    _read_layer(content, layers, sought)
    assert saving.returncode == 0, f"docker save {image} failed"
    return layers


def _read_layer(content: IO[bytes], layers: Layers, secrets: list[bytes]) -> None:
    try:
        layer = tarfile.open(fileobj=content, mode="r|*")  # noqa: SIM115 (what is not an archive ends here)
    except tarfile.ReadError:
        return  # the image's own description
    with layer:
        for member in layer:
            name = member.name.removeprefix("./")
            layers.names.append(name)
            if secrets and member.isfile() and member.size <= LARGEST_SECRET_FILE:
                file = layer.extractfile(member)
                text = file.read() if file else b""
                if any(secret in text for secret in secrets):
                    layers.with_secrets.append(name)

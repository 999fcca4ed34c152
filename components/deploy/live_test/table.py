"""The modes of live tests by their names in `serve.rollout`, with one line of registration each."""

from __future__ import annotations

from components.deploy.live_test.ab import Ab
from components.deploy.live_test.contract import Mode
from components.deploy.live_test.shadow import Shadow

MODES: dict[str, Mode] = {mode.name: mode for mode in (Shadow(), Ab())}

"""The modes of live tests by their names in `serve.rollout`, with one line of registration each."""

from __future__ import annotations

from components.serve.live_test.contract import OpenLiveTest
from components.serve.live_test.mirror import MODE as SHADOW
from components.serve.live_test.mirror import Mirror
from components.serve.live_test.split import MODE as AB
from components.serve.live_test.split import Split

MODES: dict[str, OpenLiveTest] = {SHADOW: Mirror, AB: Split}

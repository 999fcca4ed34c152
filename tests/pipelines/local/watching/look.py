"""One look of a watcher in a process of its own: `look.py PROJECT`; `KILL_WATCH_AT` says before which write it is killed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

from pipelines.local.file_lock import try_lock
from tests.pipelines.local.watching.kill import kill_before_write
from tests.pipelines.local.watching.made import watcher

watched, said = watcher(Path(sys.argv[1]))
if len(sys.argv) > 2:  # a file that says when to begin
    while not Path(sys.argv[2]).exists():
        pass
kill_before_write("KILL_WATCH_AT")
lock = try_lock(watched.workspace.home / "watch.lock")
if lock is not None:
    with lock:
        watched.look()
print("\n".join(said))

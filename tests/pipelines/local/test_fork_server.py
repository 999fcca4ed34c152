import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.stages import STAGES
from pipelines.local import fork_server, launcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server is for Linux")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module that a child runs; it prints whether `decimal` was loaded before its own import."""
    text = """
        import json, os, sys, time
        found = {"had": "decimal" in sys.modules, "arguments": sys.argv[1:], "folder": os.getcwd(), "variable": os.environ.get("VARIABLE")}
        if "--sleep" in sys.argv:
            open("pid", "w").write(str(os.getpid()))
            time.sleep(600)
        print(json.dumps(found), flush=True)
        if "--fail" in sys.argv:
            raise SystemExit(5)
        if "--crash" in sys.argv:
            os.kill(os.getpid(), 9)
    """
    (tmp_path / "found.py").write_text(textwrap.dedent(text))
    return tmp_path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "started").touch()  # the launcher starts none
    code = f"import sys; from pipelines.local.fork_server import main; sys.exit(main({str(tmp_path / 'socket')!r}, ('decimal',), {{}}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    yield process
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.wait(timeout=60)


def launch(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    client = [sys.executable, "-IS", launcher.__file__, str(folder / "interpreter"), sys.executable]
    environment = {**os.environ, launcher.SERVER: str(folder), "VARIABLE": "x y"}
    command = [*client, "-m", "found", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, dict[str, object]]:
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return process.returncode, json.loads(out) if out else {}


@pytest.mark.usefixtures("server")
def test_a_child_has_the_imports_and_the_callers_world(module: Path) -> None:
    code, found = finish(launch(module, "a b", "--c"))
    assert code == 0
    assert found == {"had": True, "arguments": ["a b", "--c"], "folder": str(module), "variable": "x y"}


@pytest.mark.usefixtures("server")
def test_a_childs_end_is_its_own(module: Path) -> None:
    assert finish(launch(module, "--fail"))[0] == 5
    assert finish(launch(module, "--crash"))[0] == 137
    assert finish(launch(module))[0] == 0


@pytest.mark.usefixtures("server")
def test_the_word_that_kfp_replaced_is_put_back(module: Path) -> None:
    _, found = finish(launch(module, f"/data/{module / 'interpreter'}/table.csv"))
    assert found["arguments"] == ["/data/python3/table.csv"]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_its_launcher(module: Path, how: signal.Signals) -> None:
    process = launch(module, "--sleep")
    child = wait_for_child(module)
    process.send_signal(how)
    process.communicate(timeout=60)
    wait_until_gone(child)


def test_children_end_with_the_server(module: Path, server: subprocess.Popen[bytes]) -> None:
    process = launch(module, "--sleep")
    child = wait_for_child(module)
    assert server.stdin is not None
    server.stdin.close()
    process.communicate(timeout=60)
    wait_until_gone(child)
    assert process.returncode != 0


@pytest.mark.usefixtures("server")
def test_a_stage_that_needs_little_is_a_process_of_its_own(module: Path) -> None:
    _, found = finish(
        launch(module, "--function_to_execute", next(stage.name for stage in STAGES.values() if stage.own_process))
    )
    assert found["had"] is False


def test_a_launch_is_logged_beside_the_outputs(module: Path, server: subprocess.Popen[bytes]) -> None:
    executor_input = json.dumps({"outputs": {"outputFile": str(module / "task" / "executor_output.json")}})
    finish(launch(module, "--executor_input", executor_input, "--function_to_execute", "train", "--fail"))
    log = json.loads((module / "task" / "launch.json").read_text())
    assert (log["stage"], log["exit_code"]) == ("train", 5)
    assert log["requested"] <= log["began"] <= log["ended"]
    assert log["max_rss_kib"] > 0


def _launch_stage(folder: Path) -> subprocess.Popen[str]:
    executor_input = json.dumps({"outputs": {"outputFile": str(folder / "task" / "executor_output.json")}})
    return launch(folder, "--executor_input", executor_input, "--function_to_execute", "train")


@pytest.mark.parametrize("moment", ["importing", "listening"])
def test_a_killed_server_is_noticed_within_a_second_and_reported(module: Path, moment: str) -> None:
    (module / "started").touch()
    (module / "slow.py").write_text("import time; time.sleep(600)\n")
    modules = ("slow",) if moment == "importing" else ()
    code = f"from pipelines.local.fork_server import main; main({str(module / 'socket')!r}, {modules!r}, {{}})"
    environment = {**os.environ, "PYTHONPATH": f"{Path.cwd()}:{module}"}
    server = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, env=environment)
    (module / "pid").write_text(str(server.pid))
    while moment == "listening" and not (module / "socket").exists():
        assert server.poll() is None, "the server ended before it listened"
        time.sleep(0.02)
    process = _launch_stage(module) if moment == "importing" else None
    while process and not (module / "task" / "launch.json").exists():
        time.sleep(0.02)
    server.kill()  # it stays a zombie, as in a run, which waits for it at its end only
    began = time.monotonic()
    process = process or _launch_stage(module)
    _, err = process.communicate(timeout=30)
    took = time.monotonic() - began
    server.wait()
    assert process.returncode == 1
    assert "was killed (out of memory?)" in err
    assert took < (1 if moment == "importing" else 10)  # the second counts the client's own start
    record = json.loads((module / "task" / "error.json").read_text())
    assert (record["stage"], record["error"]["kind"]) == ("train", "internal")
    assert "was killed (out of memory?)" in record["error"]["message"]
    launched = json.loads((module / "task" / "launch.json").read_text())
    assert launched["exit_code"] == 1 and "ended" in launched


def test_imports_that_fail_are_reported_as_such(module: Path) -> None:
    for name in ("started", "socket.failed"):
        (module / name).touch()
    _, err = _launch_stage(module).communicate(timeout=60)
    assert "could not import" in json.loads((module / "task" / "error.json").read_text())["error"]["message"]
    assert "run's log" in err


def wait_for_child(folder: Path) -> int:
    deadline = time.monotonic() + 60
    while not (folder / "pid").exists() or not (folder / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int((folder / "pid").read_text())


def wait_until_gone(process: int) -> None:
    deadline = time.monotonic() + 60
    while runs(process):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(process: int) -> bool:
    """Whether the process is there and no zombie; it may vanish between two looks, so it is looked at once."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_run_imports_ahead_what_its_project_uses_and_nothing_else() -> None:
    nothing = fork_server.plan_imports({})
    assert not any("keras" in name or "sklearn" in name for name in (*nothing[0], *sum(nothing[1].values(), ())))
    prepared = {
        fork_server.FRAMEWORK_IMPORTS: "a.fit,a.call",
        fork_server.PREPROCESSING_IMPORTS: ",".join(fork_server.PREPROCESSING),
    }
    later = fork_server.plan_imports(prepared)[1]["validate"]
    assert later.count("a.fit") == 1 and later.index("a.call") < later.index("components.train.train")
    assert set(fork_server.PREPROCESSING) <= set(later)


OWN = (
    "components._frameworks.keras.trainable_model",
    "tensorflow_transform",
    "skl2onnx",
    "onnxruntime",
    "xgboost",
    "lightgbm",
    "torch",
)
"""What only a framework, or a preprocessing_fn, imports; keras and sklearn themselves come with libraries that every run needs."""
USED = {"keras": set(OWN[:2]), "sklearn": set(OWN[2:4])}


@pytest.mark.slow
@pytest.mark.parametrize("framework", USED)
def test_the_libraries_of_other_frameworks_are_never_imported(framework: str) -> None:
    code = f"""
import importlib, sys
from components._frameworks.table import find_framework
from pipelines.local.fork_server import FRAMEWORK_IMPORTS, plan_imports
first, later = plan_imports({{FRAMEWORK_IMPORTS: ",".join(find_framework({framework!r}).imports)}})
for name in (*first, *sum(later.values(), ())):
    importlib.import_module(name)
print("imported", *(name for name in {OWN} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.strip().splitlines()[-1].split()[1:])
    assert found == USED[framework]

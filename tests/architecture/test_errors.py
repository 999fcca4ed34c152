"""Only our own tree of errors reaches a person: it is drawn as it is, and what libraries raise at each border is translated."""

import errno
import gzip
import inspect
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from components._core import errors
from components._core.errors import INTERRUPTED_EXIT_CODE, NaruError
from components._core.project.data_config import Data
from components._core.project.project_file import load_project, parse_project
from components._core.project.yaml_text import parse_yaml
from components._core.stage.user_code import load_function, unpack_code
from components._core.store.ledger import append_deployment, current_champion, resolve_champion
from components._core.store.object_store import fetch, upload
from components._core.system_errors import from_system
from components._core.types.signature import Signature
from components._data.formats.registry import open_format
from components._data.sources.contract import SpanFile
from components._data.sources.registry import open_source

ROOT = Path(__file__).resolve().parents[2]
TREE = {kind.__name__: kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, NaruError)}


def _drawn() -> list[tuple[str, str, int]]:
    """Name, parent and exit code of every class in the drawing."""
    found: list[tuple[str, str, int]] = []
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([ │├└─]*)(\w+Error)\s+exit (\d+)", line)
        if match is None:
            continue
        above = [(depth, name) for depth, name in above if depth < len(match[1])]
        found.append((match[2], above[-1][1] if above else "Exception", int(match[3])))
        above.append((len(match[1]), match[2]))
    return found


def test_the_tree_is_drawn_as_it_is() -> None:
    assert _drawn() == [(name, kind.__base__.__name__, kind.exit_code) for name, kind in _in_drawn_order()]


def _in_drawn_order() -> list[tuple[str, type[NaruError]]]:
    order = [name for name, _, _ in _drawn()]
    assert set(order) == set(TREE)
    return [(name, TREE[name]) for name in order]


def test_every_kind_has_a_code_of_its_own_and_the_docs_name_it() -> None:
    kinds = [(str(kind.exit_code), kind.kind) for kind in TREE.values()]
    assert len({code for code, _ in kinds}) == len({name for _, name in kinds}) == len(TREE)
    table = re.findall(r"^\| (\d+) \| (\w+) \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert sorted(table) == sorted(kinds)
    assert f"| {INTERRUPTED_EXIT_CODE} |" in (ROOT / "docs" / "architecture.md").read_text()


def _file(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def _span(folder: Path, content: bytes) -> SpanFile:
    return open_source(str(_file(folder, "t.csv", content))).list_files("all")[0]


def _read(file: SpanFile, kind: str = "csv", **options: object) -> list[object]:
    table = open_format(Data(source="t", format=kind, **options))
    return list(table.read_rows(file, table.infer_schema([file], "y"), "y", lambda row: None))


def _link_archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "code.zip", "w") as pack:
        pack.writestr(zipfile.ZipInfo("../out.py"), "")
    return folder / "code.zip"


BORDERS: dict[str, Callable[[Path], object]] = {
    "yaml": lambda folder: parse_yaml("a: [", "f"),
    "yaml: a value": lambda folder: parse_yaml("a: !!int x", "f"),
    "pydantic": lambda folder: load_project(_file(folder, "project.yaml", b"name: 3\n")),
    "text": lambda folder: load_project(_file(folder, "project.yaml", b"\xff\xff")),
    "pathlib": lambda folder: load_project(folder / "nothing.yaml"),
    "fsspec: a protocol": lambda folder: open_source("nowhere://t.csv").list_files("all"),
    "fsspec: a missing driver": lambda folder: current_champion("nowhere://store", "p"),
    "fsspec: reading": lambda folder: fetch(f"{folder}/nothing", folder / "to"),
    "fsspec: writing": lambda folder: upload(_file(folder, "f", b"x"), f"{folder}/f/below"),
    "fsspec: the ledger": lambda folder: append_deployment(str(_file(folder, "store", b"")), "p", DEPLOYMENT),
    "json: a parameter": lambda folder: resolve_champion("{", "p"),
    "codecs: a header": lambda folder: _read(_span(folder, b"\xe9,y\n"), csv={"encoding": "utf-8"}),
    "gzip": lambda folder: _read(_span(folder, gzip.compress(b"x,y\n1,2\n")[:-9])),
    "zipfile: no archive": lambda folder: unpack_code(_file(folder, "code.zip", b"PK"), folder / "to"),
    "zipfile: a path": lambda folder: unpack_code(_link_archive(folder), folder / "to"),
    "importlib": lambda folder: load_function(_file(folder, "m.py", b"import nothing_at_all").parent, "m.py", "f"),
}
DEPLOYMENT = resolve_champion(
    '{"version": "1", "model": "m", "statistics": "s", "schema": "s", "metrics": {}, "fingerprint": "f", "run": "r",'
    ' "at": "a", "by": "b", "why": "w"}',
    "p",
)


@pytest.mark.parametrize("border", BORDERS)
def test_what_a_library_raises_is_reported_as_an_error_of_ours_with_place_and_remedy(
    border: str, tmp_path: Path
) -> None:
    with pytest.raises(NaruError) as error:
        BORDERS[border](tmp_path)
    assert error.value.message
    assert error.value.where or error.value.kind == "code"
    assert error.value.remedy


@pytest.mark.slow
def test_what_tensorflow_raises_is_reported_as_a_model_error(tmp_path: Path) -> None:
    from components._frameworks.table import load_model

    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "saved_model.pb").write_bytes(b"no model")
    Signature("regression", (), {"prediction": "float32"}, ()).save(tmp_path)
    with pytest.raises(errors.ModelError, match="does not load"):
        load_model(tmp_path)


@pytest.mark.slow
def test_what_the_database_below_mlflow_raises_is_reported_as_a_service_error(tmp_path: Path) -> None:
    from components._registry.mlflow_client import open_registry, registry_errors

    uri = f"sqlite:///{_file(tmp_path, 'mlflow.db', b'no database' * 100)}"
    with pytest.raises(errors.ServiceError, match="database cannot be used") as error, registry_errors(uri):
        open_registry(uri).search_experiments()
    assert "move the file away" in error.value.remedy


@pytest.mark.slow
def test_what_a_schema_parser_raises_is_reported_as_a_config_error() -> None:
    from components.validate.dataset_schema import parse_schema

    with pytest.raises(errors.ConfigError, match=r"schema\.pbtxt: is not a schema"):
        parse_schema(b"feature {", "schema.pbtxt")


def test_what_optuna_would_raise_of_a_space_is_reported_as_a_config_error() -> None:
    project = {"name": "p", "task": "regression", "label": "y", "data": {"source": "t"}}
    for space in ({"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"choices": []}, {}):
        with pytest.raises(errors.ConfigError, match=r"tune\.space\.x"):
            parse_project({**project, "tune": {"trials": 1, "space": {"x": space}}})


def test_a_shared_library_that_a_package_needs_is_named_with_what_installs_it() -> None:
    """As Python's ctypes says it where LightGBM is imported on a system without OpenMP."""
    error = from_system(OSError("libgomp.so.1: cannot open shared object file: No such file or directory"))
    assert isinstance(error, errors.ConfigError)
    assert "libgomp.so.1 is not installed" in str(error) and "apt-get install libgomp1" in str(error)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO])
def test_what_the_system_refuses_is_reported_with_its_place_and_what_to_do(number: int) -> None:
    error = from_system(OSError(number, "no", "/somewhere/file"))
    assert error.where == "/somewhere/file" and error.remedy


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR])
def test_what_a_person_must_correct_in_the_file_system_is_a_config_error(number: int) -> None:
    assert from_system(OSError(number, "no", "/somewhere/file")).exit_code == errors.ConfigError.exit_code


NOT_OURS = {
    "components/_core/monitoring/result_files.py": {"ValueError"},  # of one result; its readers go on and say so
    # a row is set aside with it, a request refused
    "components/_core/pictures/decode.py": {"PictureError", "PictureTooLargeError"},
    "components/_data/formats/pictures/picture_files.py": {"PictureError"},
    "components/_data/formats/pictures/picture_rows.py": {"PictureError"},
    "components/_data/sources/file_rows.py": {"NoFilesError"},
    "components/_core/request_log/json_lines.py": {"LineError"},  # counted as a damaged line
    "components/_core/types/json_values.py": {"LineError", "NotJsonError"},  # counted, or the row is set aside with it
    "components/_data/formats/csv/blocks.py": {
        "UndecidedEncodingError"
    },  # caught in format.py, which reads it otherwise
    "components/_core/project/cron.py": {"ValueError"},  # what pydantic wants of a validator
    "components/_core/store/ledger.py": {
        "TypeError",
        "ValueError",
    },  # of one line; reported with its file where it is read
    "components/_core/project/approval_config.py": {"ValueError"},  # what pydantic wants of a validator
    "components/_core/project/column_config.py": {"ValueError"},  # what pydantic wants of a validator
    "components/_core/project/data_config.py": {"ValueError"},  # what pydantic wants of a validator
    "components/_core/project/durations.py": {"ValueError"},  # what pydantic wants; reported with the path
    "components/_core/project/feedback_config.py": {"ValueError"},  # the same
    "components/_core/project/gate_config.py": {"ValueError"},  # the same
    "components/_core/project/join_config.py": {"ValueError"},  # what pydantic wants of a validator
    "components/_core/project/label_config.py": {"ValueError"},  # the same
    "components/_core/project/live_test_config.py": {"ValueError"},  # what pydantic wants of a validator
    "components/_core/project/keep_config.py": {
        "ValueError"
    },  # what pydantic wants; --keep reports it as a ConfigError
    "components/_core/project/monitor_config.py": {"ValueError"},  # what pydantic wants of a validator
    "components/_core/project/table_config.py": {"ValueError"},  # what pydantic wants of a validator
    "components/_core/project/split_config.py": {"ValueError"},
    "components/_core/project/project_file.py": {"ValueError"},  # the same
    "components/_core/project/task_config.py": {"PydanticCustomError", "ValueError"},  # the same
    "components/_core/project/config_types.py": {"ValueError"},  # the same
    "components/_core/project/optimize_config.py": {"ValueError"},  # the same
    "components/_core/project/serving_config.py": {"ValueError"},  # the same
    "components/_core/project/train_config.py": {"ValueError"},  # the same
    "components/_core/project/transform_config.py": {"ValueError"},  # the same
    "components/_core/project/trigger_config.py": {"ValueError"},  # the same
    "components/_core/project/tune_config.py": {"ValueError"},  # the same
    "components/_core/store/approvals.py": {"ValueError"},  # reported as a damaged line
    "components/_core/store/live_tests.py": {"ValueError"},  # reported as a damaged line
    "components/_core/request_log/live_test_lines.py": {"ValueError"},  # counted as a damaged line
    "components/serve/live_test/challenger_client.py": {
        "ChallengerError"
    },  # its callers count it, and the champion answers
    "components/_core/store/record_fields.py": {"ValueError"},  # caught where a line is read, which names the file
    "components/watch/monitor_results.py": {"ValueError"},  # a result that is left out, with a warning
    "components/watch/records.py": {"ValueError"},  # reported as a damaged line
    "components/_core/store/object_file_system.py": {"NotImplementedError"},  # what fsspec expects of a file system
    "components/_core/store/gcs.py": {"FileNotFoundError"},  # the same
    "components/_core/store/http.py": {
        "NotImplementedError",  # the same
        "ProtocolError",  # of urllib3, where a download is too short: it is continued like any interrupted one
    },
    "components/_data/sources/files.py": {
        "NoFilesError",  # a DataError; labels may have no file yet
        "ValueError",  # a location without placeholders: a mistake of a programmer
    },
    "components/_data/sources/folders.py": {"NoFilesError"},  # the same
    "components/_data/sources/span_files.py": {"NoFilesError"},  # the same
    "components/_data/sources/registry.py": {"ValueError"},  # a second source of one prefix: a mistake of a programmer
    "components/_core/store/s3.py": {"FileNotFoundError"},  # the same
    "components/_data/formats/avro/arrow_types.py": {"ValueError"},  # reported by the reader, with the rows
    "components/_data/formats/avro/zstandard_blocks.py": {"EOFError"},  # reported by the reader, with the block
    "components/_data/formats/jsonl/lines.py": {"LineError"},  # the row is set aside with it
    "components/_frameworks/saved_models/saved_graph.py": {
        "ValueError"
    },  # of a damaged graph; reported with its file where it is read
    "components/_frameworks/protobuf_fields.py": {"ValueError"},  # the same
    "components/_frameworks/onnx_models/onnx_file.py": {"ValueError"},  # the same
    "components/_data/formats/registry.py": {
        "ValueError"
    },  # two formats of one name: a mistake in the code, seen at import
    "components/_frameworks/model_kinds.py": {"ValueError"},  # a kind registered twice
    "components/tune/earlier_trials.py": {"TypeError"},  # of a damaged file, which is ignored and said
    "components/_frameworks/table.py": {
        "ValueError"
    },  # two frameworks of one name: a mistake in the code, seen at import
    "components/_core/project/check_config.py": {"ValueError"},  # pydantic reports it with the field
    "components/_core/project/model_config.py": {"ValueError"},  # the same
    "components/_core/project/yaml_text.py": {"ConstructorError"},  # what the library wants; reported with its line
    "components/_core/project/text_config.py": {"ValueError"},
    "components/_core/stage/user_code.py": {"ImportError"},  # reported as the person's code that does not import
    "pipelines/row_explanation/row_choice.py": {"UnknownRowError"},  # a ConfigError; the request log may have the row
    "pipelines/cli/run.py": {"Exit"},  # how typer ends a command
    "pipelines/cli/monitor.py": {"Exit"},  # the same
    "pipelines/cli/serving.py": {"Exit"},  # the same
    "pipelines/cli/cluster.py": {"Exit"},  # the same
    "pipelines/cli/kfp.py": {"Exit"},  # the same
    "components/_feedback/labels.py": {
        "NoLabelsError"
    },  # a DataError; the stage that joins every day waits for the first label
    "components/serve/trigger_gauges.py": {"ValueError"},  # of one record; counted, and left out
    "components/deploy/promotion.py": {"ChampionChangedError"},  # a ServiceError; by it deploy ends with a verdict
    "components/deploy/rollout/live_test_servers.py": {"TakenOverError"},  # a ServiceError; the next look goes on
    "components/deploy/rollout/proof.py": {"RolloutError"},  # a ServiceError; by it a rollout goes back
    "components/deploy/targets/table.py": {
        "ValueError"
    },  # two targets of one name: a mistake in the code, seen at import
    "components/deploy/targets/seldon/target.py": {
        "RolloutError",
        "TakenOverError",
    },  # the same; and one by which it keeps its hands off
    "components/serve/__main__.py": {"ArgumentTypeError"},  # what argparse wants; reported with the option
    "components/serve/limits.py": {"ArgumentTypeError"},  # the same
    "components/serve/request_body.py": {"Refusal", "error"},  # answered to a client; zlib's, reported as a Refusal
    "components/serve/oip_bounds.py": {"Refusal"},
    "components/serve/label_intake.py": {"Refusal"},  # the same
    "components/serve/label_rules.py": {"Refusal"},  # the same
    "components/serve/http_connections.py": {
        "_RefusedError"
    },  # ends parsing; what is answered stands in the connection
    "components/serve/fast_path.py": {"Refusal"},
    "components/serve/mlserver_grpc.py": {"Refusal"},
    "components/serve/mlserver_grpc_control.py": {"Refusal"},
    "components/serve/oip_grpc_bounds.py": {"Refusal"},
    "components/serve/oip_json.py": {"Refusal"},
    "components/serve/oip_keys.py": {"Refusal"},
    "components/serve/oip_parameters.py": {"Refusal"},
    "components/_predictor/border.py": {"Refusal"},
    "components/_predictor/feature_values.py": {"Refusal"},  # answered to a client, with an HTTP code
    "components/serve/admission.py": {"Refusal"},
    "components/_predictor/finite_answers.py": {"Refusal"},
    "components/serve/http_refusals.py": {"HttpRefusal"},  # the same, before it is read as a request
    "components/serve/json_guard.py": {"HttpRefusal"},
    "components/_labels/annotations.py": {"ValueError"},  # a time of a file of labels: named with its line, or unknown
    "components/_labels/label_schema.py": {
        "ValueError"
    },  # a label that the schema does not allow: named with its place
    "components/_labels/votes.py": {
        "ValueError"
    },  # labels are held against the schema before: a mistake of a programmer
    "pipelines/cli/label.py": {"Exit"},  # the exit code of a check that failed
    "components/serve/seldon_connections.py": {"HttpRefusal"},
    "components/serve/mlserver_hardening.py": {"MLServerError"},  # what MLServer answers a client with
    "components/serve/mlserver_runtime.py": {"Refusal", "MLServerError"},
    "components/_predictor/predictor.py": {"Refusal"},
    "components/serve/seldon_process.py": {"HttpRefusal", "Refusal"},
    "components/serve/seldon_runtime.py": {"Refusal", "NotAMessage"},
    "components/serve/seldon_protobuf.py": {"NotAMessage"},  # answered to a client of gRPC
    "components/stages.py": {"ValueError"},  # a second stage of one name: a mistake of a programmer
    "components/transform/analysis.py": {"ValueError"},  # reported as preprocessing_fn that fails
    "components/transform/left_out_columns.py": {"KeyError"},  # of a name that no column has, as of every mapping
    "components/validate/statistics.py": {"ValueError"},  # reported where statistics are read
    "components/validate/texts/vocabulary.py": {"ValueError"},  # the same
    "components/_notices/channels.py": {"_RefusedError"},  # becomes the reason why a notice was not taken
    "pipelines/local/fork_server.py": {"ValueError"},  # between two processes of Naru
}
"""Errors of Python and of libraries that are raised by intent, each with where it is reported."""


def test_every_error_that_we_raise_is_of_the_tree_or_has_a_reason() -> None:
    for path in sorted([*(ROOT / "components").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")]):
        raised = set(re.findall(r"^\s+raise (?:\w+\.)*([A-Z]\w+)\(", path.read_text(), re.MULTILINE))
        name = path.relative_to(ROOT).as_posix()
        assert raised - TREE.keys() <= NOT_OURS.get(name, set()), f"{name} raises what is not of the tree"

"""Names inside other packages that Naru depends on although they are not public: each is listed with where it is used.

A release may move any of them. So the versions are pinned exactly, and when a pin changes, the test of the new version says which
name is gone before anything else fails.
"""

import ast
import importlib
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

PINNED = {
    "mlserver": ("1.6.1", "1.7.1"),
    "skl2onnx": ("1.20.0", "1.20.0"),
    "tensorflow": ("2.16.2", "2.21.0"),
    "tensorflow-transform": ("1.16.0", "1.21.0"),
    "tensorflow-data-validation": ("1.16.1", "1.21.0"),
}
"""Versions in which the names below were found: of the legacy family, of the modern one."""

NAMES = {
    "mlserver": {
        "mlserver.server:MLServer": "mlserver_process.py",
        "mlserver.rest.server:RESTServer._get_config": "mlserver_process.py: connections of our own protocol class",
        "mlserver.grpc:dataplane_pb2": "mlserver_grpc.py",
        "mlserver.grpc:model_repository_pb2": "mlserver_grpc_control.py",
        "mlserver.grpc.server:GRPCServer": "mlserver_grpc.py: a server with bounds of our own",
        "mlserver.grpc.servicers:InferenceServicer": "mlserver_grpc.py",
        "mlserver.grpc.model_repository:ModelRepositoryServicer": "mlserver_grpc.py",
        "mlserver.grpc.utils:STATUS_CODE_MAPPING": "mlserver_grpc.py",
        "mlserver.middleware:InferenceMiddlewares": "mlserver_hardening.py: no middleware decodes what we decode",
    },
    "skl2onnx": {
        "skl2onnx._supported_operators:sklearn_operator_name_map": "onnx_conversion.py: which steps have a converter",
    },
    "tensorflow": {
        "tensorflow.python.client.session:BaseSession._make_callable_from_options": "session.py: one call, no feeds to parse",
    },
    "tensorflow-transform": {
        **{
            f"tensorflow_transform.analyzer_nodes:{name}": "analysis.py"
            for name in (
                "TENSOR_REPLACEMENTS",
                "TensorSource.tensors",
                "CacheableCombineAccumulate.combiner",
                "CacheableCombineMerge.combiner",
                "ExtractCombineMergeOutputs",
                "VocabularyAccumulate.vocab_ordering_type",
                "VocabularyMerge",
                "VocabularyPrune.coverage_top_k",
                "VocabularyPrune.frequency_threshold",
                "VocabularyPrune.input_dtype",
                "VocabularyPrune.key_fn",
                "VocabularyPrune.top_k",
                "VocabularyCount",
                "VocabularyOrderAndWrite.file_format",
                "VocabularyOrderAndWrite.fingerprint_shuffle",
                "VocabularyOrderAndWrite.input_dtype",
                "VocabularyOrderAndWrite.store_frequency",
                "VocabularyOrderAndWrite.vocab_filename",
            )
        },
        "tensorflow_transform.analyzers:get_empy_vocabulary_dummy_value": "analysis.py",
        "tensorflow_transform.graph_context:TFGraphContext.module_to_export": "analysis.py",
        "tensorflow_transform.graph_tools:InitializableGraphAnalyzer.ready_to_run": "analysis.py",
        "tensorflow_transform.graph_tools:get_analyzers_fingerprint": "analysis.py",
        "tensorflow_transform.impl_helper:METADATA_DIR_NAME": "analysis.py",
        "tensorflow_transform.impl_helper:get_traced_transform_fn": "analysis.py",
        "tensorflow_transform.impl_helper:trace_and_write_v2_saved_model": "analysis.py",
        "tensorflow_transform.impl_helper:trace_preprocessing_function": "analysis.py",
        "tensorflow_transform.tf_metadata.metadata_io:read_metadata": "analysis.py",
        "tensorflow_transform.tf_metadata.metadata_io:write_metadata": "analysis.py",
    },
    "tensorflow-data-validation": {
        "tensorflow_data_validation.statistics.stats_impl:extract_statistics_output": "partial_statistics.py",
        "tensorflow_data_validation.statistics.generators.basic_stats_generator:BasicStatsGenerator": "partial_statistics.py",
        "tensorflow_data_validation.statistics.generators.top_k_uniques_sketch_stats_generator:TopKUniquesSketchStatsGenerator": "partial_statistics.py",
        "tensorflow_data_validation.types:PerFeatureStatsConfig": "partial_statistics.py",
    },
    "tfx-bsl": {
        "tfx_bsl.coders.example_coder:ExamplesToRecordBatchDecoder": "tfrecord/reader.py",
    },
}
"""By package: `module:attribute`, and what needs it."""

PUBLIC = {
    "mlserver": {"mlserver", "mlserver.errors", "mlserver.settings", "mlserver.types"},
    "tensorflow_transform": {"tensorflow_transform", "tensorflow_transform.beam"},
    "tensorflow_data_validation": {"tensorflow_data_validation"},
    "tfx_bsl": {"tfx_bsl.public.tfxio"},
}
"""By package: the modules that its documentation publishes."""

WITH_A_PUBLIC_PATH = {
    "components/transform/analysis.py": "tensorflow-transform",
    "components/validate/partial_statistics.py": "tensorflow-data-validation",
}
"""The only modules that may import private names of these packages: where one is missing, a slower path is taken."""

ALONE = {"components/_data/formats/tfrecord/reader.py"}
"""Modules with a private name and no other path: the public readers of tf.Example import TensorFlow."""

SET_ON_AN_INSTANCE = {
    "_rest_server",
    "_grpc_server",
    "_app",
    "_data_plane",
    "_inference_middleware",
    "_model_repository_handlers",
    "_settings",
    "_server",
}
"""Attributes that MLServer sets in its constructors, which no class shows: found in their source."""


@pytest.mark.parametrize("package", PINNED)
def test_a_package_whose_inside_is_used_is_of_a_version_in_which_that_was_looked_at(package: str) -> None:
    assert version(package) in PINNED[package]


@pytest.mark.parametrize(("package", "name"), [(package, name) for package in NAMES for name in NAMES[package]])
def test_the_name_is_there(package: str, name: str) -> None:
    module, _, attributes = name.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in attributes.split("."):
        assert hasattr(found, attribute), (
            f"{package} {version(package)} has no {name}; needed by {NAMES[package][name]}"
        )
        found = getattr(found, attribute)


@pytest.mark.parametrize("name", sorted(SET_ON_AN_INSTANCE))
def test_mlserver_sets_the_attribute(name: str) -> None:
    assert any(re.search(rf"self\.{name}\b", source) for source in _sources_of_mlserver())


@cache
def _sources_of_mlserver() -> list[str]:
    package = Path(str(importlib.import_module("mlserver").__file__)).parent
    return [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]


def test_no_private_attribute_of_the_servers_is_used_that_is_not_listed() -> None:
    used = {
        name
        for path in (ROOT / "components" / "serve").glob("*.py")
        if "seldon" not in path.name  # seldon-core's server is ours from the socket up
        for chain in re.findall(r"\b(?:server|found|rest)((?:\.\w+)+)", path.read_text(encoding="utf-8"))
        for name in chain.split(".")
        if name.startswith("_")
    }
    listed = SET_ON_AN_INSTANCE | {"_get_config"}
    assert used and used <= listed, sorted(used - listed)


def test_every_import_from_inside_a_package_is_listed() -> None:
    listed = {_imported(name) for names in NAMES.values() for name in names}
    assert {name for _, name in _private_imports()} <= listed


def test_private_names_of_tft_and_tfdv_are_imported_only_where_a_public_path_stands_beside() -> None:
    packages = ("tensorflow_transform", "tensorflow_data_validation", "tfx_bsl")
    found = {path for path, name in _private_imports() if name.startswith(packages)}
    assert found == {*WITH_A_PUBLIC_PATH, *ALONE}


def _imported(name: str) -> str:
    module, _, attributes = name.partition(":")
    return f"{module}:{attributes.partition('.')[0]}"


@cache
def _private_imports() -> list[tuple[str, str]]:
    """The file and `module:name` of each import from a module of PUBLIC's packages that is not published."""
    inside = re.compile(rf"^\s*from ({'|'.join(PUBLIC)})\b", re.MULTILINE)
    return [
        (path.relative_to(ROOT).as_posix(), f"{node.module}:{alias.name}")
        for top in ("components", "pipelines")
        for path in sorted((ROOT / top).rglob("*.py"))
        if inside.search(source := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module
        if node.module.partition(".")[0] in PUBLIC and node.module not in PUBLIC[node.module.partition(".")[0]]
        for alias in node.names
    ]

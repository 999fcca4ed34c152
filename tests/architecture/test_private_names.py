"""Names inside other packages that Naru depends on although they are not public: each is listed with where it is used.

A release may move any of them. So the versions are pinned exactly, and when a pin changes, the test of the new version says which
name is gone before anything else fails.
"""

import importlib
import re
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
        "tensorflow.python.client.session:BaseSession._make_callable_from_options": "saved_model.py: one call, no feeds to parse",
    },
    "tensorflow-transform": {
        "tensorflow_transform.analyzer_nodes:TENSOR_REPLACEMENTS": "analysis.py",
        **{
            f"tensorflow_transform.analyzer_nodes:{name}": "analysis.py"
            for name in (
                "TensorSource",
                "CacheableCombineAccumulate",
                "CacheableCombineMerge",
                "ExtractCombineMergeOutputs",
                "VocabularyAccumulate",
                "VocabularyMerge",
                "VocabularyPrune",
                "VocabularyCount",
                "VocabularyOrderAndWrite",
            )
        },
        "tensorflow_transform.graph_context:TFGraphContext": "analysis.py",
        "tensorflow_transform.graph_tools:InitializableGraphAnalyzer": "analysis.py",
        "tensorflow_transform.graph_tools:get_analyzers_fingerprint": "analysis.py",
        "tensorflow_transform.impl_helper:get_traced_transform_fn": "analysis.py",
        "tensorflow_transform.impl_helper:trace_and_write_v2_saved_model": "analysis.py",
        "tensorflow_transform.impl_helper:trace_preprocessing_function": "analysis.py",
    },
    "tensorflow-data-validation": {
        "tensorflow_data_validation.statistics.stats_impl:extract_statistics_output": "statistics.py",
        "tensorflow_data_validation.statistics.generators.basic_stats_generator:BasicStatsGenerator": "statistics.py",
        "tensorflow_data_validation.statistics.generators.top_k_uniques_sketch_stats_generator:TopKUniquesSketchStatsGenerator": "statistics.py",
        "tensorflow_data_validation.types:PerFeatureStatsConfig": "statistics.py",
    },
}
"""By package: `module:attribute`, and what needs it."""

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
    package = Path(str(importlib.import_module("mlserver").__file__)).parent
    sources = [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]
    assert any(re.search(rf"self\.{name}\b", source) for source in sources)


def test_no_private_attribute_of_the_servers_is_used_that_is_not_listed() -> None:
    used = {
        name
        for path in (ROOT / "components" / "serve").glob("mlserver_*.py")
        for name in re.findall(r"(?:server|found|rest)\.(_\w+)", path.read_text(encoding="utf-8"))
    }
    listed = SET_ON_AN_INSTANCE | {"_get_config"}
    assert used and used <= listed, sorted(used - listed)

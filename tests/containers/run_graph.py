"""Run the training pipeline's graph through kfp's DockerRunner, in an environment that has kfp and nothing that a stage needs.

    python run_graph.py REQUEST.json    {"root": ..., "arguments": {...}, "container": {...}}

What came of it is read from what the stages left; this program's exit code says only that kfp got through.
"""

import importlib.util
import json
import sys
from pathlib import Path


def main() -> None:
    from kfp import local

    from pipelines.graphs.training import training

    assert importlib.util.find_spec("tensorflow") is None, "the runner's environment has TensorFlow"
    request = json.loads(Path(sys.argv[1]).read_text())
    local.init(runner=local.DockerRunner(**request["container"]), pipeline_root=request["root"], raise_on_error=True)
    training(**request["arguments"])


if __name__ == "__main__":
    main()

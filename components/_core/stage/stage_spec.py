"""The declaration of a stage: the image it runs in, what it reads, whether it may be cached, what it imports.

The laptop's runner, the compiler, the pools file and the linter all use these declarations. `components/stages.py` has
one for each stage; a pipeline (`pipelines/graphs`) is a list of them. Standard library only, and no dataclass: the
launcher, which starts once per stage in milliseconds, imports this.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

OF_FRAMEWORK = "(framework)"
"""Stands among the imports of a stage for the modules of the project's framework."""
OF_PREPROCESSING = "(preprocessing)"
"""Stands there for what a stage imports only where the project has a preprocessing_fn."""
_PYTHON = "python3.12"
"""Image tag in a component; a pipeline compiled for a cluster has a registry and a version instead."""


class StageSpec(NamedTuple):
    """The declaration of one stage.

    Attributes:
        name: Name of the stage: its folder, its task in the graph, its row in the pools file.
        image: Image that it runs in on a cluster (images/README.md).
        reads: Parts of project.yaml that it depends on, as dotted paths. It gets no others, so changing others does
            not run it again. Name, task, label, positive, code, schema and the excluded columns go to all.
        code: Which of the project's own files it depends on: `all` of the archive, the reviewed `schema`, all but the
            model's file (`preprocessing`), or none.
        environment: Environment variables with settings that it gets on a cluster; the credentials of the store
            come with any of them.
        side_effects: Whether it changes something outside its artifacts: such a stage always runs, is never retried, and
            is not scheduled on preemptible nodes.
        looks_outside: Whether it reads something that no parameter names. KFP caches by parameters, so it always runs
            there.
        cluster_access: Whether it changes the cluster itself, with its own service account.
        imports: Modules that the laptop's fork server imports before it forks the stage, in this order; `OF_FRAMEWORK` and
            `OF_PREPROCESSING` stand for those that depend on the project.
        imports_during: Stage during which the modules are imported, on the second core; empty: before the first stage.
        trains: Whether it trains the model: on a cluster it gets the name of its image, to record it (`environment.py`).
        own_process: Whether it starts as a separate process: it needs few imports, and runs while the fork server is
            busy with its own.
    """

    name: str
    image: str
    reads: tuple[str, ...] = ()
    code: Literal["", "all", "schema", "preprocessing"] = ""
    environment: tuple[str, ...] = ()
    side_effects: bool = False
    looks_outside: bool = False
    cluster_access: bool = False
    imports: tuple[str, ...] = ()
    imports_during: str = ""
    trains: bool = False
    own_process: bool = False

    @property
    def base_image(self) -> str:
        """The image, with the tag used in components."""
        return f"{self.image}:{_PYTHON}"

    @property
    def is_cached_by_kfp(self) -> bool:
        """Whether KFP may take it from its cache."""
        return not (self.side_effects or self.looks_outside)

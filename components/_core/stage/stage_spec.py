"""What Naru knows of a stage beside its work: the image it runs in, what it reads, whether it may be cached, what it imports.

The laptop's runner, the compiler, the pools file and the linter all go by these facts. `components/stages.py` has one for each
stage; a pipeline (`pipelines/graphs`) is a list of them. Standard library only, and no dataclass: the launcher, which starts
once per stage in milliseconds, imports this.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

_PYTHON = "python3.12"
"""Tag of an image in a component; what is compiled for a cluster names a registry and a version instead."""


class StageSpec(NamedTuple):
    """The facts about one stage.

    Attributes:
        name: Name of the stage: its folder, its task in the graph, its row in the pools file.
        image: Image that it runs in on a cluster (images/README.md).
        reads: Parts of project.yaml that it depends on, as dotted paths. It is given no others, so a change of others does
            not make it run again. Name, task, label, positive, code, schema and the excluded columns are given to all.
        code: Which of the project's own files it depends on: `all` of the archive, the reviewed `schema`, all but the model's
            file (`preprocessing`), or none.
        environment: Settings that it is given on a cluster, by the name of their variable; with any of them come the
            credentials of the store.
        side_effects: Whether it changes something outside its artifacts: such a stage always runs, is never retried, and
            stays off nodes that may be taken away.
        looks_outside: Whether it looks up something that no parameter names. KFP caches by parameters, so it always runs there.
        cluster_access: Whether it acts on the cluster itself, by a service account of its own.
        imports: Modules that the laptop's fork server imports before it forks the stage, in this order.
        imports_during: Stage during which those are imported, on the second core; empty: before the first stage.
        own_process: Whether it starts as a process of its own: it needs few imports, and runs while the server has its own
            to do.
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
    own_process: bool = False

    @property
    def base_image(self) -> str:
        """Image with the tag that components have."""
        return f"{self.image}:{_PYTHON}"

    @property
    def is_cached_by_kfp(self) -> bool:
        """Whether KFP may take it from its cache."""
        return not (self.side_effects or self.looks_outside)

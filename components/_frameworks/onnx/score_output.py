"""Which output of a file is the score, and which class each of its columns stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from components._core.errors import ConfigError, ModelError
from components._core.project.model_config import ImportedModel
from components._core.suggestions import list_alternatives, listed, suggest
from components._core.types.tasks.contract import Task
from components._frameworks.onnx.model_file import FileOutput, ModelFile
from components._frameworks.onnx.remedies import correct_field, write_fields

_PROBABILITIES = ("probabilities", "output_probability", "probability", "probs", "output_probabilities")
"""Names that the usual converters give to probabilities beside other outputs."""
_CLASS_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
_SCORES_KEY = "model.outputs.scores"
_CLASSES_KEY = "model.outputs.classes"


@dataclass(frozen=True)
class ScoreOutput:
    """The output with the scores.

    Attributes:
        name: Its name in the file.
        tensor: Name of the value in the file's graph that holds the scores: its own, or that in front of the dictionaries by class.
        is_map: Whether the file gives a dictionary by class for each row.
        kind: Type of its values.
        width: Values per row.
        classes: The class of each of its columns as the file says, as text; empty: it does not say.
    """

    name: str
    tensor: str
    is_map: bool
    kind: str
    width: int
    classes: tuple[str, ...]


def find_scores(file: ModelFile, imported: ImportedModel, task: Task, classes: Sequence[str]) -> ScoreOutput:
    """Find the output with the scores.

    Args:
        file: The file.
        imported: What the project says of it.
        task: The project's task.
        classes: The label's classes; empty for a task without classes.

    Raises:
        ConfigError: When the project names an output that the file does not have, or several may be meant.
        ModelError: When no output can have scores of the task.
    """
    output = _choose(file, imported.outputs.scores, task)
    node = _maker(file.proto.graph, output.name)
    known = _classes_of_file(file.proto.graph, node)
    if output.is_map and (node is None or node.op_type != "ZipMap" or not output.kind):
        message = f"its output {output.name!r} is a list of dictionaries that no ZipMap makes"
        raise ModelError(message, where=file.name, remedy="export it with probabilities as a matrix [rows, classes]")
    tensor = node.input[0] if output.is_map and node is not None else output.name
    width = len(known) if output.is_map else output.width
    allowed = _widths(task, classes)
    if width is None:
        width = len(known) or allowed[-1]  # the rows that it is checked with show whether that is right
    if width not in allowed:
        wanted = list_alternatives([str(each) for each in allowed])
        of = f"the label has the classes {listed(list(classes))}" if classes else f"a {task.name} has one value"
        message = f"its output {output.name!r} has {width} {'value' if width == 1 else 'values'} per row; must be {wanted}: {of}"
        remedy = f"export a model of this label, or name another output: {write_fields({_SCORES_KEY: 'OUTPUT'})}"
        raise ModelError(message, where=file.name, remedy=remedy)
    return ScoreOutput(
        output.name, tensor, output.is_map, output.kind, width, known if len(known) in (width, 2) else ()
    )


def _widths(task: Task, classes: Sequence[str]) -> tuple[int, ...]:
    if not task.has_classes:
        return (1,)
    return (len(classes),) if task.scores_by_class and len(classes) > 2 else (1, 2)


def _choose(file: ModelFile, named: str, task: Task) -> FileOutput:
    by_name = {output.name: output for output in file.outputs}
    if named:
        if named not in by_name:
            message = f"{file.name} has no output {named!r}; {suggest(named, [*by_name])}"
            raise ConfigError(message, where=_SCORES_KEY, remedy=correct_field(_SCORES_KEY))
        if not by_name[named].is_real:
            kind = by_name[named].kind or "no tensor"
            message = f"the output {named!r} of {file.name} is {kind}, and scores are real numbers"
            remedy = f"name another output of {listed([*by_name])}: {correct_field(_SCORES_KEY)}"
            raise ConfigError(message, where=_SCORES_KEY, remedy=remedy)
        return by_name[named]
    found = [output for output in file.outputs if output.is_real]
    usual = [output for output in found if output.name.lower() in _PROBABILITIES]
    if task.has_classes and len(found) > 1 and len(usual) == 1:
        return usual[0]
    if not found:
        kinds = ", ".join(f"{output.name!r} ({output.kind or 'no tensor'})" for output in file.outputs)
        what = "probabilities" if task.has_classes else "values"
        message = f"none of its outputs has {what}, which are real numbers: {kinds}"
        raise ModelError(message, where=file.name, remedy=f"export the model with its {what}, not with labels alone")
    if len(found) > 1:
        message = f"several outputs of {file.name} may be the scores: {listed([output.name for output in found])}"
        raise ConfigError(message, where=_SCORES_KEY, remedy=write_fields({_SCORES_KEY: found[0].name}))
    return found[0]


def _maker(graph: onnx.GraphProto, name: str) -> onnx.NodeProto | None:
    return next((node for node in graph.node if name in node.output), None)


def _classes_of_file(graph: onnx.GraphProto, maker: onnx.NodeProto | None) -> tuple[str, ...]:
    """The classes that the file names, by the output's own dictionaries, a classifier, or where the label is looked up."""
    if maker is not None and maker.op_type == "ZipMap":
        return _class_labels(maker)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    found = {each for node in graph.node for each in _classes_of_node(node, constants) if len(each) > 1}
    return found.pop() if len(found) == 1 else ()


def _classes_of_node(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> Iterator[tuple[str, ...]]:
    yield _class_labels(node)
    if node.op_type == "ArrayFeatureExtractor" and node.input[0] in constants:
        values = numpy_helper.to_array(constants[node.input[0]])
        yield tuple(_as_text(value) for value in np.ravel(values).tolist())


def _class_labels(node: onnx.NodeProto) -> tuple[str, ...]:
    if node.op_type == "LabelEncoder":
        return ()
    for attribute in node.attribute:
        if attribute.name in _CLASS_LABELS and (attribute.strings or attribute.ints):
            return tuple(_as_text(value) for value in (attribute.strings or attribute.ints))
    return ()


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def order_classes(
    output: ScoreOutput, imported: ImportedModel, classes: Sequence[str], file: str, *, assume: bool = False
) -> tuple[tuple[str, ...], str]:
    """Say which class each column of the output stands for; of one column, the class that it is the probability of comes last.

    Args:
        output: The output.
        imported: What the project says of it.
        classes: The label's classes; empty for a task without classes.
        file: Name of the file, for messages.
        assume: Whether classes that the file only numbers are taken to be the label's in their order.

    Returns:
        The classes, and what was assumed, in a sentence; empty: nothing.

    Raises:
        ConfigError: When its classes are not those of the label.
    """
    if not classes:
        return (), ""
    named = tuple(imported.outputs.classes)
    found, where = (named, _CLASSES_KEY) if named else (output.classes, file)
    if found and {*found} == {*classes}:
        if {*output.classes} == {*found} and output.classes != found:
            message = f"found {listed(named)}, and {file} has them in the order {listed(output.classes)}"
            raise ConfigError(
                message, where=_CLASSES_KEY, remedy="leave it out: the file knows the order of its classes"
            )
        return found, ""
    listed_classes = ", ".join(classes)
    is_numbered = found == tuple(map(str, range(len(classes))))
    if not found or (assume and is_numbered and not named):
        what = "numbers its classes" if found else "does not name its classes"
        return tuple(
            classes
        ), f"{file} {what}: assumed in the order {listed_classes}; correct {_CLASSES_KEY} if that is wrong"
    message = f"{file} has the classes {listed(found)}" if not named else f"found {listed(found)}"
    remedy = write_fields({_CLASSES_KEY: f"[{listed_classes}]"}, f", in the order of the output {output.name!r}")
    raise ConfigError(f"{message}, and the label has {listed(list(classes))}", where=where, remedy=remedy)

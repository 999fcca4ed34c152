"""What a person says on the command line of `naru new` where the table alone would decide otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from components._core.errors import ConfigError
from components._core.suggestions import listed, suggest
from components._core.types.tasks import TASKS
from components._data.columns.dates import Order

Kind = Literal["keras", "torch", "linear", "boosted"]
"""A neural network of Keras or PyTorch, a linear model or boosted trees of scikit-learn."""

KINDS: tuple[Kind, ...] = ("keras", "torch", "linear", "boosted")
_ORDERS: tuple[Order, ...] = ("dmy", "mdy", "ymd")


@dataclass(frozen=True)
class Choices:
    """Choices for a new project; a default leaves the decision to the table.

    Attributes:
        task: Name of the task.
        drop: Columns to leave out.
        ids: Columns that identify rows; left out.
        group: Column whose equal values stay in one split.
        time: Column with the time of a row, by which the rows are split.
        positive: The label's positive value.
        date_order: Order of day, month and year where a date does not say.
        sample: Rows that are sampled to judge what columns are; 0: the default number.
        model: The kind of model.
    """

    task: str = ""
    drop: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    group: str = ""
    time: str = ""
    positive: str = ""
    date_order: Order | None = None
    sample: int = 0
    model: Kind = "keras"

    @classmethod
    def parse(
        cls,
        task: str = "",
        drop: Iterable[str] | None = None,
        ids: Iterable[str] | None = None,
        group: str = "",
        time: str = "",
        positive: str = "",
        date_order: str = "",
        sample: int = 0,
        model: str = "keras",
    ) -> Choices:
        """Parse the options of the command line; `--drop` and `--id` take a name, or several with commas between them.

        Raises:
            ConfigError: When a task, an order or a kind of model does not exist, or two options contradict each other.
        """
        names = {name: name for name in TASKS} | {name.removesuffix("_classification"): name for name in TASKS}
        if task and task not in names:
            remedy = f"allowed: {listed(sorted(TASKS))}"
            raise ConfigError(
                f"--task: unknown task {task!r}; {suggest(task, list(names))}", where="naru new", remedy=remedy
            )
        order = next((known for known in _ORDERS if known == date_order), None)
        if date_order and order is None:
            remedy = "allowed: dmy (10.02.21 is in February), mdy, ymd"
            raise ConfigError(f"--date-order: unknown order {date_order!r}", where="naru new", remedy=remedy)
        if group and time:
            remedy = "name one of them; rows are kept together, or split by time"
            raise ConfigError("--group and --time contradict each other", where="naru new", remedy=remedy)
        kind = next((known for known in KINDS if known == model), None)
        if kind is None:
            message = f"--model: unknown kind {model!r}; {suggest(model, KINDS)}"
            raise ConfigError(message, where="naru new", remedy=f"allowed: {', '.join(KINDS)}")
        return cls(names.get(task, ""), _names(drop), _names(ids), group, time, positive, order, sample, kind)

    def check_columns(self, known: Sequence[str], label: str) -> None:
        """Refuse an option that names a column which does not exist, or the label.

        Raises:
            ConfigError: With the option and the name that was probably meant.
        """
        named = {"--drop": self.drop, "--id": self.ids, "--group": _names([self.group]), "--time": _names([self.time])}
        for option, names in named.items():
            for name in names:
                if name not in known:
                    message = f"{option}: there is no column {name!r}; {suggest(name, known)}"
                    raise ConfigError(message, where="naru new", remedy="name a column of the table")
                if name == label:
                    raise ConfigError(
                        f"{option}: {name!r} is the label", where="naru new", remedy="name another column"
                    )


def _names(given: Iterable[str] | None) -> tuple[str, ...]:
    """Split names at commas."""
    return tuple(name for names in given or () for name in (part.strip() for part in names.split(",")) if name)

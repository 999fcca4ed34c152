"""The interface of exchange formats: a work list goes out in one, and a file of labels is read by what it contains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from components._labels.annotations import FoundLabels
from components._labels.label_schema import LabelSchema

LARGEST_FILE = 256 << 20
"""Bytes of a file of labels that are read."""


@dataclass(frozen=True)
class WorkItem:
    """One item of a work list.

    Attributes:
        id: Its identity.
        shown: What annotators see: a text by column, bytes of a picture; None where the cell is empty.
        votes: What annotators said of it, for an adjudicator; empty otherwise.
    """

    id: str
    shown: Mapping[str, Any]
    votes: Mapping[str, str]


class ExchangeFormat(ABC):
    """A format.

    Attributes:
        name: Its name, as in `--format`.
        tool: The program of the labels that are read from it, unless the file names another.
    """

    name: ClassVar[str]
    tool: ClassVar[str]

    @abstractmethod
    def write(self, schema: LabelSchema, columns: Sequence[str], items: Sequence[WorkItem]) -> dict[str, bytes]:
        """Return the files of a work list by their names; the first one is the list itself, its name only an ending.

        Args:
            schema: The label schema.
            columns: The columns that annotators see.
            items: The items.

        Raises:
            ConfigError: When the format cannot hold these.
        """

    @abstractmethod
    def recognises(self, content: bytes) -> bool:
        """Return whether a file is of this format, by its beginning."""

    @abstractmethod
    def read(self, content: bytes, where: str, schema: LabelSchema) -> FoundLabels:
        """Read the labels of a file.

        Args:
            content: The file's content.
            where: Its name, for messages.
            schema: The label schema.

        Raises:
            DataError: When the file is damaged, or not of this format.
        """

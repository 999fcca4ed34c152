"""Compare the spans that were read with those that the champion was trained on: new, late, corrected, unchanged.

A span is compared by the digests of its files, so a corrected one is noticed wherever it lies, whatever its times and
names say.
"""

from __future__ import annotations

from dataclasses import dataclass

from components._core.checks import Check
from components._core.examples.artifact import Manifest
from components._core.examples.registered_manifest import fetch_manifest
from components._core.store.ledger import Deployment


@dataclass(frozen=True)
class SpanChanges:
    """How the spans of two manifests differ; every list is ascending.

    Attributes:
        new: Spans newer than all that the other has.
        late: Other spans that it lacks: they arrived late, or were left out then.
        corrected: Spans whose content differs.
        unchanged: Spans with equal content.
        absent: Spans that only the other has.
    """

    new: list[int]
    late: list[int]
    corrected: list[int]
    unchanged: list[int]
    absent: list[int]


def compare_spans(manifest: Manifest, other: Manifest) -> SpanChanges:
    """Compare the spans of a manifest with those of an earlier one."""
    now, then = manifest.span_fingerprints(), other.span_fingerprints()
    newest = max(then, default=-1)
    added = sorted(now.keys() - then.keys())
    both = sorted(now.keys() & then.keys())
    return SpanChanges(
        new=[span for span in added if span > newest],
        late=[span for span in added if span <= newest],
        corrected=[span for span in both if now[span] != then[span]],
        unchanged=[span for span in both if now[span] == then[span]],
        absent=sorted(then.keys() - now.keys()),
    )


def check_spans(manifest: Manifest, champion: Deployment | None) -> list[Check]:
    """Say which spans are new, late or corrected since the champion was trained; nothing for a table of one span.

    Raises:
        UnavailableError: When the store does not answer.
    """
    if champion is None:
        return []
    other = fetch_manifest(champion)
    name = f"spans since champion {champion.version}"
    if other is None:
        return [Check(name, "no_baseline", reason=f"the manifest of champion {champion.version} cannot be read")]
    if len(manifest.spans) <= 1 and len(other.spans) <= 1:
        return []
    if manifest.span_unit != other.span_unit:
        reason = f"spans are {manifest.span_unit}s now, and were {other.span_unit}s"
        return [Check(name, "skipped", n=len(manifest.spans), reason=reason)]
    changes = compare_spans(manifest, other)
    odd = len(changes.late) + len(changes.corrected)
    return [
        Check(
            name,
            "warn" if odd else "pass",
            float(odd),
            0.0,
            n=len(manifest.spans),
            reason=_describe(changes, manifest),
        )
    ]


def _describe(changes: SpanChanges, manifest: Manifest) -> str:
    parts = {
        "new": changes.new,
        "arrived late": changes.late,
        "corrected": changes.corrected,
        "unchanged": changes.unchanged,
        "no longer read": changes.absent,
    }
    return "; ".join(f"{what}: {manifest.format_spans(spans)}" for what, spans in parts.items() if spans)

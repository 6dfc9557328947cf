"""Contact sheets: pictures of the samples the score holds for the most and the least important."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from core.data.bank import Dataset
from core.report.facts import Facts
from core.report.html import paragraph, section, text

_SHOWN = 20
_SIDE = 96
_COARSE = 48


def sheets(facts: Facts) -> str | None:
    """The section; only where the samples are pictures that are still at hand."""
    ranks, dataset = facts.mean_rank, facts.dataset
    if ranks is None:
        return None
    if dataset is None or not dataset.train.is_images or len(dataset.train) != len(ranks):
        why = facts.why_no_data or "the samples are no pictures"
        return section("sheets", "Pictures", paragraph(f"No pictures: {why}.", "note"))
    order = np.argsort(ranks, kind="stable")
    count = min(_SHOWN, len(order) // 2)
    return section(
        "sheets", "The most and the least important samples",
        paragraph(
            f"By the mean rank of {facts.score} over {len(facts.tables)} seed(s). "
            "Below a picture its class; point at it for its id, file and mean rank.", "note",
        ),
        _sheet(facts, dataset, "Most important", order[:count]),
        _sheet(facts, dataset, "Least important", order[::-1][:count]),
    )  # fmt: skip


def _sheet(facts: Facts, dataset: Dataset, title: str, ids: NDArray[np.int64]) -> str:
    small = max(dataset.train.inputs.shape[1:3]) < _COARSE
    items = "".join(_item(facts, dataset, int(sample)) for sample in ids)
    kind = "sheet coarse" if small else "sheet"
    return f'<h3>{text(title)}</h3><ul class="{kind}">{items}</ul>'


def _item(facts: Facts, dataset: Dataset, sample: int) -> str:
    name = facts.class_name(int(dataset.train.targets[sample]))
    path = f", {dataset.train.path[sample]}" if dataset.train.path is not None else ""
    assert facts.mean_rank is not None  # the caller looked
    about = f"id {sample}{path}, mean rank {facts.mean_rank[sample]:,.0f} of {len(dataset.train):,}"
    data = base64.b64encode(png(np.asarray(dataset.train.inputs[sample]))).decode()
    return (
        f'<li title="{text(about)}"><img alt="{text(f"{name}, id {sample}")}" '
        f'src="data:image/png;base64,{data}">{text(name)}</li>'
    )


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture uint8 ``[H, W, C]`` (1, 3 or 4 channels) as PNG, at most 96 pixels a side."""
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()

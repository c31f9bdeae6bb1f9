# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the lines of text on a page: the output of the detection model as rectangles that may be rotated.

The model gives for each point of the page the likelihood that it belongs to the core of a line. Cores that touch are
one line, and the line itself is larger by a share of its area (Liao et al. 2020, "Real-time scene text detection with
differentiable binarization").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

_LIKELY = 0.3
_LIKELY_LINE = 0.5
"""Mean likelihood of a line's core."""
_UNCLIP = 1.6
_THINNEST = 3.0
_MOST_LINES = 2000
_MOST_RUNS = 200_000
_LONG = 4.0
"""From this ratio of length to height on, the shape of a line gives its direction; others have that of the page."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Line:
    """A rectangle around a line of text: its centre, length and height in pixels, and angle in radians (clockwise)."""

    x: float
    y: float
    length: float
    height: float
    angle: float

    def corner(self, along: float, down: float) -> tuple[float, float]:
        """Return a point by its share of the line's length and height, each 0 to 1."""
        forward, across = (along - 0.5) * self.length, (down - 0.5) * self.height
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return self.x + forward * cosine - across * sine, self.y + forward * sine + across * cosine


def lines_of(likelihood: npt.NDArray[np.float32]) -> list[Line]:
    """Return the lines of text of a page, in no order, from the likelihood of each of its points."""
    rows, starts, ends = _runs(likelihood > _LIKELY)
    if not len(rows) or len(rows) > _MOST_RUNS:
        return []
    labels = _labels(rows, starts, ends, likelihood.shape[1])
    sums = np.concatenate([np.zeros((len(likelihood), 1)), np.cumsum(likelihood, axis=1, dtype=np.float64)], axis=1)
    weights = (ends - starts).astype(np.float64)
    likely = sums[rows, ends] - sums[rows, starts]
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order], prepend=-1, append=labels.max() + 1))
    groups = [order[first:last] for first, last in pairwise(bounds)]
    groups = [group for group in groups if likely[group].sum() >= _LIKELY_LINE * weights[group].sum()]
    shapes = [_moments(rows[group], starts[group], ends[group]) for group in groups[:_MOST_LINES]]
    angles = [(angle, length) for _, _, angle, length, ratio in shapes if ratio >= _LONG]
    direction = _middle_angle(angles)
    lines = []
    for group, (x, y, angle, _, ratio) in zip(groups, shapes, strict=False):
        own = angle if ratio >= _LONG else direction
        line = _rectangle(rows[group], starts[group], ends[group], x, y, own)
        if line.height >= _THINNEST:
            lines.append(line)
    return lines


def _runs(mask: npt.NDArray[np.bool_]) -> tuple[Integers, Integers, Integers]:
    """Return row, first column and column after the last one of each run of points that are set."""
    changes = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(changes == 1)
    _, ends = np.nonzero(changes == -1)
    return rows, starts, ends


def _labels(rows: Integers, starts: Integers, ends: Integers, width: int) -> Integers:
    """Return a number for each run, which is the same for those that touch, also across a corner."""
    stride = width + 2
    above = (rows - 1) * stride
    first = np.searchsorted(rows * stride + ends, above + starts)
    last = np.searchsorted(rows * stride + starts, above + ends, side="right")
    parents = list(range(len(rows)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for number, (begin, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        for other in range(begin, end):
            parents[root(number)] = root(other)
    return np.array([root(number) for number in range(len(rows))], np.int64)


def _moments(rows: Integers, starts: Integers, ends: Integers) -> tuple[float, float, float, float, float]:
    """Return centre, angle, length, and ratio of length to height of an area, from its first and second moments."""
    counts = (ends - starts).astype(np.float64)
    total = counts.sum()
    middles = (starts + ends - 1) / 2
    x, y = float((counts * middles).sum() / total), float((counts * rows).sum() / total)
    xx = float((counts * ((middles - x) ** 2 + (counts**2 - 1) / 12)).sum() / total)
    yy = float((counts * (rows - y) ** 2).sum() / total)
    xy = float((counts * (middles - x) * (rows - y)).sum() / total)
    angle = 0.5 * math.atan2(2 * xy, xx - yy)
    spread = math.hypot((xx - yy) / 2, xy)
    long, short = (xx + yy) / 2 + spread, max((xx + yy) / 2 - spread, 1 / 12)
    return x, y, angle, math.sqrt(12 * long), math.sqrt(long / short)


def _middle_angle(angles: list[tuple[float, float]]) -> float:
    """Return the angle of most of the text, where each counts by its length; 0 without any."""
    half = sum(length for _, length in angles) / 2
    for angle, length in sorted(angles):
        half -= length
        if half <= 0:
            return angle
    return 0.0


def _rectangle(rows: Integers, starts: Integers, ends: Integers, x: float, y: float, angle: float) -> Line:
    """Return the rectangle of this direction around an area, enlarged from the core of a line to the line."""
    cosine, sine = math.cos(angle), math.sin(angle)
    horizontal = np.concatenate([starts, ends - 1]) - x
    vertical = np.concatenate([rows, rows]) - y
    forward, across = horizontal * cosine + vertical * sine, vertical * cosine - horizontal * sine
    length, height = float(np.ptp(forward)) + 1, float(np.ptp(across)) + 1
    along, down = float(forward.max() + forward.min()) / 2, float(across.max() + across.min()) / 2
    margin = length * height * _UNCLIP / (2 * (length + height))
    return Line(
        x + along * cosine - down * sine + 0.5,
        y + along * sine + down * cosine + 0.5,
        length + 2 * margin,
        height + 2 * margin,
        angle,
    )

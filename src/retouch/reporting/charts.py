"""Charts as inline SVG: training curves, and the pipeline as dvc.yaml has it."""

import csv
from html import escape
from pathlib import Path
from typing import Any

import yaml

WIDTH, HEIGHT, LEFT, BOTTOM = 460, 220, 58, 28


def curve(path: Path, column: str, title: str) -> str:
    """One column of a curves.csv over the steps, as an SVG line; rows without a value are skipped."""
    with path.open(newline="") as file:
        points = [(float(row["step"]), float(row[column])) for row in csv.DictReader(file) if row[column]]
    if not points:
        return ""
    steps, values = zip(*points, strict=True)
    low, high = min(values), max(values)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    last = max(steps)

    def place(step: float, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - 10) * step / last
        y = 26 + (HEIGHT - BOTTOM - 26) * (1 - (value - low) / (high - low))
        return f"{x:.1f},{y:.1f}"

    line = " ".join(place(*point) for point in points)
    dots = "".join('<circle cx="{}" cy="{}" r="2.5"/>'.format(*place(*point).split(",")) for point in points[-40:])
    marks = "".join(
        f'<text x="{LEFT - 6}" y="{place(0, value).split(",")[1]}" text-anchor="end" dy="4">{value:.3g}</text>'
        for value in (low, (low + high) / 2, high)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<text x="{LEFT}" y="14" class="title">{escape(title)}</text>{marks}'
        f'<line x1="{LEFT}" y1="{HEIGHT - BOTTOM}" x2="{WIDTH - 10}" y2="{HEIGHT - BOTTOM}" class="axis"/>'
        f'<text x="{LEFT}" y="{HEIGHT - 8}">0</text>'
        f'<text x="{WIDTH - 10}" y="{HEIGHT - 8}" text-anchor="end">step {last:g}</text>'
        f'<polyline points="{line}" class="curve"/><g class="dots">{dots if len(points) < 40 else ""}</g></svg>'
    )


def pipeline(dvc_yaml: Path) -> str:
    """The stages of a dvc.yaml as an SVG graph, in columns by their distance from the data."""
    stages: dict[str, Any] = yaml.safe_load(dvc_yaml.read_text())["stages"]
    bodies = {name: stage.get("do", stage) for name, stage in stages.items()}
    producers = {out: name for name, body in bodies.items() for out in _paths(body, "outs", "metrics", "plots")}
    producers["data"] = "data.dvc"
    arrows = sorted({
        (producer, name)
        for name, body in bodies.items()
        for dep in _paths(body, "deps")
        for out, producer in producers.items()
        if producer != name and _overlap(dep, out)
    })  # fmt: skip
    rank: dict[str, int] = {"data.dvc": 0}

    def depth(name: str) -> int:
        if name not in rank:
            rank[name] = 1 + max((depth(producer) for producer, consumer in arrows if consumer == name), default=-1)
        return rank[name]

    names = ["data.dvc", *bodies]
    for name in names:
        depth(name)
    step, box = 118, 100
    lanes: dict[int, int] = {}
    place = {}
    for name in sorted(names, key=lambda name: (rank[name], names.index(name))):
        place[name] = (8 + step * rank[name], 44 + 46 * lanes.get(rank[name], 0))
        lanes[rank[name]] = lanes.get(rank[name], 0) + 1
    width = 16 + step * (max(rank.values()) + 1)
    height = 60 + 46 * max(lanes.values())
    lines = "".join(_arrow(place[a], place[b], box) for a, b in arrows)
    boxes = "".join(_box(name, *place[name], box, many="foreach" in stages.get(name, {})) for name in names)
    return f'<svg viewBox="0 0 {width} {height}" role="img" class="pipeline"><title>The pipeline</title>{lines}{boxes}</svg>'


def _paths(body: dict[str, Any], *keys: str) -> list[str]:
    entries = [entry for key in keys for entry in body.get(key, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def _overlap(dep: str, out: str) -> bool:
    return dep == out or out.startswith(f"{dep}/") or dep.startswith(f"{out}/")


def _arrow(start: tuple[int, int], end: tuple[int, int], box: int) -> str:
    x1, y1, x2, y2 = start[0] + box, start[1] + 15, end[0], end[1] + 15
    if y1 > y2 and x2 - x1 >= 40:  # from a lower lane: along it, under the boxes between
        return f'<path d="M{x1},{y1} C{x2 - 20},{y1} {x2 - 40},{y1} {x2},{y2}" class="arrow"/>'
    lift = 0 if x2 - x1 < 40 else -min(12 + (x2 - x1) // 12, 36)  # arrows over several columns bow above the boxes between
    middle = (x1 + x2) / 2
    return f'<path d="M{x1},{y1} C{middle},{y1 + lift * 2} {middle},{y2 + lift * 2} {x2},{y2}" class="arrow"/>'


def _box(name: str, x: int, y: int, width: int, many: bool) -> str:
    shadow = f'<rect x="{x + 4}" y="{y - 4}" width="{width}" height="30" rx="6" class="stage"/>' if many else ""
    label = f"{name}@model" if many else name
    return (
        f'{shadow}<rect x="{x}" y="{y}" width="{width}" height="30" rx="6" class="stage"/>'
        f'<text x="{x + width / 2}" y="{y + 19}" text-anchor="middle">{escape(label)}</text>'
    )

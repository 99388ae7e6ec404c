"""Names of object categories: one numbering for every source of labelled objects, 0 = unlabelled."""

from retouch.errors import SourceError

_THINGS = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, street sign, stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, hat, backpack, umbrella, shoe,
eye glasses, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, plate, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, mirror, dining table, window, desk, toilet,
door, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, blender, book, clock,
vase, scissors, teddy bear, hair drier, toothbrush, hair brush
"""
_STUFF = """
banner, blanket, branch, bridge, building-other, bush, cabinet, cage, cardboard, carpet, ceiling-other, ceiling-tile, cloth,
clothes, clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence, floor-marble, floor-other, floor-stone,
floor-tile, floor-wood, flower, fog, food-other, fruit, furniture-other, grass, gravel, ground-other, hill, house, leaves,
light, mat, metal, mirror-stuff, moss, mountain, mud, napkin, net, paper, pavement, pillow, plant-other, plastic, platform,
playingfield, railing, railroad, river, road, rock, roof, rug, salad, sand, sea, shelf, sky-other, skyscraper, snow,
solid-other, stairs, stone, straw, structural-other, table, tent, textile-other, towel, tree, vegetable, wall-brick,
wall-concrete, wall-other, wall-panel, wall-stone, wall-tile, wall-wood, water-other, waterdrops, window-blind,
window-other, wood
"""
_MORE = "field, foliage"  # Lalonde & Efros 2007 label these, COCO-Stuff does not


def _split(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in " ".join(text.split()).split(","))


CATEGORIES = ("unlabelled", *_split(_THINGS), *_split(_STUFF), *_split(_MORE))
"""Index = number: COCO's things 1–91 (11 of them never annotated), COCO-Stuff's stuff 92–182, then names COCO has not."""
THINGS = range(1, 92)
"""Numbers of countable objects."""
COCO_STUFF = 182
"""The last number of COCO and COCO-Stuff."""


def number_of(name: str) -> int:
    """The number of a category; `sky` finds COCO-Stuff's `sky-other`. Raises SourceError for a name that is not there."""
    for candidate in (name, f"{name}-other", f"{name}-stuff"):
        if candidate in CATEGORIES:
            return CATEGORIES.index(candidate)
    raise SourceError(f"{name!r} is no object category of COCO or COCO-Stuff: use one of their names")

"""The vocabularies of label maps: index = number in the map, 0 = unlabelled."""

from retouch.errors import SourceError

_ADE20K = """
wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person, earth, door, table,
mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea, mirror, rug, field, armchair, seat,
fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, base, box, column, signboard, chest, counter, sand, sink,
skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case, pool, pillow, screen, stairway, river,
bridge, bookcase, blind, coffee, toilet, flower, book, hill, bench, countertop, stove, palm, kitchen, computer, swivel,
boat, bar, arcade, hovel, bus, towel, light, truck, tower, chandelier, awning, streetlight, booth, television, airplane,
dirt, apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, conveyer,
canopy, washer, plaything, swimming, stool, barrel, basket, waterfall, tent, bag, minibike, cradle, oven, ball, food,
step, tank, trade, microwave, pot, animal, bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase,
traffic, tray, ashcan, fan, pier, crt, plate, monitor, bulletin, shower, radiator, glass, clock, flag
"""
_ADE20K_STUFF = """
wall, building, sky, floor, tree, ceiling, road, grass, sidewalk, earth, mountain, water, house, sea, rug, field, fence, rock,
railing, sand, skyscraper, grandstand, path, stairs, runway, stairway, river, bridge, hill, dirt, bannister, land, escalator,
stage, swimming, waterfall, lake, pier
"""
_LIP = """
hat, hair, glove, sunglasses, upper-clothes, dress, coat, socks, pants, jumpsuits, scarf, skirt, face, left-arm, right-arm,
left-leg, right-leg, left-shoe, right-shoe
"""
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
_MORE = "field, foliage, object"
"""Names that COCO-Stuff has not: what Lalonde & Efros 2007 label, and what saliency masks show. New names go to the end, so
that numbers keep their meaning."""


def _names(text: str) -> tuple[str, ...]:
    return ("unlabelled", *(name.strip() for name in " ".join(text.split()).split(",")))


ADE20K = _names(_ADE20K)
"""The 150 classes of ADE20K SceneParsing, first synonym of each, in order of frequency."""

LIP = _names(_LIP)
"""The 19 body parts of Look into Person."""

OBJECTS = _names(", ".join((_THINGS, _STUFF, _MORE)))
"""Categories of all sources of labelled objects: COCO's things 1–91 (11 are never annotated), COCO-Stuff's 92–182, others."""
THINGS = range(1, 92)
"""Numbers of countable objects."""
COCO_STUFF = 182
"""The last number of COCO and COCO-Stuff."""

STUFF = {
    "labels": frozenset(map(ADE20K.index, _names(_ADE20K_STUFF)[1:])),
    "objects": frozenset(range(THINGS.stop, OBJECTS.index("object"))),
}
"""Numbers of what has no outline of its own, such as sky and road, in the label maps that have any."""

VOCABULARIES = {"labels": ADE20K, "parts": LIP, "objects": OBJECTS}
"""The vocabulary of each label map of a scene."""


def number_of(name: str) -> int:
    """The number of a category; `sky` means COCO-Stuff's `sky-other`. Raises SourceError for an unknown name."""
    for candidate in (name, f"{name}-other", f"{name}-stuff"):
        if candidate in OBJECTS:
            return OBJECTS.index(candidate)
    raise SourceError(f"{name!r} is not an object category of COCO or COCO-Stuff: use one of their names")

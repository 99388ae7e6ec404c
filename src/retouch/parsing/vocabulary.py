"""The vocabularies of label maps: index = number in the map, 0 = unlabelled."""

from retouch.sources.categories import CATEGORIES

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
_LIP = """
hat, hair, glove, sunglasses, upper-clothes, dress, coat, socks, pants, jumpsuits, scarf, skirt, face, left-arm, right-arm,
left-leg, right-leg, left-shoe, right-shoe
"""


def _names(text: str) -> tuple[str, ...]:
    return ("unlabelled", *(name.strip() for name in " ".join(text.split()).split(",")))


ADE20K = _names(_ADE20K)
"""The 150 classes of ADE20K SceneParsing, first synonym of each, in order of frequency."""

LIP = _names(_LIP)
"""The 19 body parts of Look into Person."""

OBJECTS = CATEGORIES
"""COCO's things 1–91 and COCO-Stuff's stuff 92–182, then categories that only others label."""

VOCABULARIES = {"labels": ADE20K, "parts": LIP, "objects": OBJECTS}
"""Which vocabulary each label map of a scene is in."""

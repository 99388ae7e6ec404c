import pytest
import torch

from retouch.color import rgb_to_lab
from retouch.synthesis.effects import EFFECTS, GROUPS, XPRO, pop_out, semantic_groups, watercolor
from retouch.synthesis.superpixels import brush
from retouch.vocabulary import ADE20K

NUMBER = {name: number for number, name in enumerate(ADE20K)}


def scene(size: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise over sky and grass, with a person in the middle."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, size, size, generator=generator) * 0.4 + 0.3
    labels = torch.full((2, size, size), NUMBER["sky"])
    labels[:, size // 2 :] = NUMBER["grass"]
    labels[:, size // 4 : -size // 4, size // 4 : -size // 4] = NUMBER["person"]
    return images, labels


def chroma(images: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    lab = rgb_to_lab(images)
    return lab[:, 1:].square().sum(1).sqrt()[where].mean()


def test_every_class_of_a_group_is_in_the_vocabulary_and_in_one_group_only():
    named = [name for names in GROUPS.values() for name in names]
    assert set(named) <= set(ADE20K)
    assert len(named) == len(set(named))
    assert XPRO.keys() == GROUPS.keys()
    labels = torch.tensor([[[0, NUMBER["person"], NUMBER["sky"], NUMBER["shower"]]]])
    assert semantic_groups(labels).tolist() == [[[0, 1, 2, 0]]]


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_is_seen_stays_in_range_and_knows_no_batch_mates(name):
    images, labels = scene()
    made = EFFECTS[name](images, semantic_groups(labels))
    assert made.shape == images.shape
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
    assert float((made - images).abs().mean()) > 0.02
    assert torch.allclose(EFFECTS[name](images[1:], semantic_groups(labels[1:])), made[1:], atol=1e-5)


@pytest.mark.parametrize("effect", [pop_out, watercolor])
def test_popping_out_raises_the_foreground_s_saturation_over_the_background_s(effect):
    images, labels = scene()
    made, person = effect(images, semantic_groups(labels)), labels == NUMBER["person"]
    assert chroma(made, person) / chroma(images, person) > 1.2 * chroma(made, ~person) / chroma(images, ~person)


def test_xpro_has_a_profile_for_each_kind_of_region():
    images = torch.full((1, 3, 64, 64), 0.5)
    colours = []
    for names in GROUPS.values():
        number = NUMBER[names[0]] if names else 0
        made = EFFECTS["xpro"](images, semantic_groups(torch.full((1, 64, 64), number)))
        assert torch.allclose(made, made[..., :1, :1].expand_as(made), atol=1e-5)
        colours.append(tuple(round(value, 3) for value in made[0, :, 0, 0].tolist()))
    assert len(set(colours)) == len(GROUPS)


def test_an_effect_fades_over_the_edge_of_a_region():
    images = torch.full((1, 3, 64, 64), 0.5)
    labels = torch.full((1, 64, 64), NUMBER["sky"])
    labels[..., 32:] = NUMBER["road"]
    row = EFFECTS["xpro"](images, semantic_groups(labels))[0, 0, 10]
    steps = row.diff().abs()
    assert float(steps.max()) < 0.7 * float((row[0] - row[-1]).abs())


def test_the_brush_paints_patches_that_follow_edges():
    lab = torch.zeros(1, 3, 48, 48)
    lab[:, 0, :, 21:] = 80.0
    lab = lab + torch.rand(lab.shape, generator=torch.Generator().manual_seed(0))
    painted = brush(lab, cell=8, compactness=5.0)
    assert len(torch.unique(painted[0, 0])) < 60
    assert float((painted - lab).abs().mean()) < 0.6
    assert float(painted[0, 0, :, :21].max()) < 5 < 75 < float(painted[0, 0, :, 21:].min())


@pytest.mark.parametrize("size", [(5, 7), (33, 50)])
def test_the_brush_takes_odd_sizes(size):
    lab = torch.rand(2, 3, *size) * 50
    assert torch.isfinite(brush(lab, cell=12, compactness=10.0)).all()

from dataclasses import replace

import pytest
import torch

from retouch.synthesis.filter_recipe import FilterRecipe
from retouch.synthesis.pixels import BufferPool
from retouch.synthesis.samples import SampleBatch, concatenate


def batch(count: int, value: float, **optional: torch.Tensor) -> SampleBatch:
    images = torch.full((count, 3, 4, 4), value)
    regions = torch.full((count, 4, 4), int(value))
    return SampleBatch(images, images + 1, images[:, :1], regions, [FilterRecipe(int(value))] * count, **optional)


def test_batches_are_joined_in_order_with_their_recipes():
    both = concatenate([batch(2, 1.0), batch(3, 5.0)])
    assert len(both) == 5
    for name, first, last in (("input", 1, 5), ("target", 2, 6), ("mask", 1, 5), ("regions", 1, 5)):
        assert getattr(both, name)[:2].unique().tolist() == [first]
        assert getattr(both, name)[2:].unique().tolist() == [last]
    assert [recipe.seed for recipe in both.recipes] == [1, 1, 5, 5, 5]
    single = batch(1, 1.0)
    assert concatenate([single]) is single


def test_label_maps_and_directions_are_kept_only_if_all_batches_have_them():
    maps = torch.arange(16).view(1, 4, 4)
    for name in ("labels", "direction"):
        one = batch(1, 1.0, **{name: maps})
        assert torch.equal(getattr(concatenate([one, one]), name), maps.repeat(2, 1, 1))
        assert getattr(concatenate([one, batch(1, 1.0)]), name) is None
        assert getattr(concatenate([replace(one, **{name: None}), batch(1, 1.0)]), name) is None


def take(pool: BufferPool, size: int) -> torch.Tensor:
    return pool.take((size,), torch.uint8)


@pytest.mark.parametrize("view_of", [lambda tensor: tensor[10:20], lambda tensor: tensor.numpy()[10:20], torch.Tensor.detach])
def test_a_pool_hands_out_memory_again_only_when_nobody_uses_it(view_of):
    pool = BufferPool()
    first = take(pool, 100)
    place = first.data_ptr()
    view = view_of(first)
    del first
    assert place not in [tensor.data_ptr() for tensor in (take(pool, 100), take(pool, 100))]
    del view
    both = take(pool, 100), take(pool, 100)
    assert len({tensor.data_ptr() for tensor in both}) == 2
    assert place in [tensor.data_ptr() for tensor in (*both, take(pool, 100))]
    assert pool.take((5, 2), torch.float64).shape == (5, 2)


def test_a_pool_keeps_no_more_blocks_and_bytes_than_it_may():
    few, small = BufferPool(blocks=3), BufferPool(size=250)
    in_use = [take(few, 10) for _ in range(5)] + [take(small, 100) for _ in range(4)]
    assert len(few._blocks) == 3
    assert sum(block.nbytes for block, _ in small._blocks) == 200
    for number, tensor in enumerate(in_use):  # blocks that left a pool stay their users' own
        tensor.fill_(number)
    assert [int(tensor.unique()) for tensor in in_use] == list(range(9))

"""Which champion the product takes: never by figures of different data."""

from hypothesis import given
from hypothesis import strategies as st

from retouch.registry.choice import Candidate, choose

A, B, C = ("hlip", "sha-a"), ("hscene", "sha-b"), ("hscene", "sha-c")


def test_the_lowest_mean_ratio_wins():
    better, worse = Candidate("z", 1, {A: 0.5, B: 0.3}), Candidate("a", 1, {A: 0.5, B: 0.4})
    assert choose([worse, better], None).best is better
    assert choose([worse, better], "a").best is better
    assert choose([better], None).not_compared == ()


def test_only_shared_test_sets_count():
    one, other = Candidate("one", 1, {A: 0.6, B: 0.1}), Candidate("other", 1, {A: 0.5})
    assert choose([one, other], None).best is other
    assert choose([one, other], "one").best is other


def test_all_compared_candidates_are_compared_on_the_same_test_sets():
    """On B alone `two` would beat `one`; but `three` has only A, so A decides between all."""
    one = Candidate("one", 1, {A: 0.4, B: 0.9})
    two = Candidate("two", 1, {A: 0.5, B: 0.1})
    three = Candidate("three", 1, {A: 0.6})
    assert choose([one, two, three], None).best is one
    assert choose([one, two], None).best is two


def test_the_same_benchmark_of_other_data_is_not_shared():
    one, other = Candidate("one", 1, {B: 0.9}), Candidate("other", 2, {C: 0.1})
    choice = choose([one, other], "one")
    assert choice.best is one
    assert choice.not_compared == (other,)


def test_what_serves_is_compared_first_then_the_most_measured_then_by_name():
    serving, most, named = Candidate("z", 1, {A: 0.9}), Candidate("y", 1, {B: 0.5, C: 0.5}), Candidate("a", 1, {B: 0.1})
    assert choose([named, most, serving], "z").best is serving
    assert choose([named, most, serving], "z").not_compared == (most, named)
    without = choose([named, most, serving], None)
    assert without.best is named  # compared with `most` on B
    assert without.not_compared == (serving,)
    tied = [Candidate("b", 1, {A: 0.5}), Candidate("a", 1, {B: 0.5})]
    assert choose(tied, None).best.name == "a"
    assert choose(tied, "b").best.name == "b"


def test_a_tie_changes_nothing():
    one, other = Candidate("a", 1, {A: 0.5}), Candidate("b", 1, {A: 0.5})
    assert choose([one, other], "b").best is other
    assert choose([one, other], None).best is one


candidates = st.lists(
    st.builds(
        Candidate,
        st.sampled_from("abcdef"),
        st.just(1),
        st.dictionaries(st.sampled_from([A, B, C]), st.floats(0.01, 2), min_size=1),
    ),
    min_size=1,
    unique_by=lambda one: one.name,
)


@given(candidates, st.sampled_from([None, *"abcdef"]), st.randoms())
def test_the_order_of_the_candidates_does_not_matter_and_none_is_lost(models, serving, random):
    shuffled = random.sample(models, len(models))
    choice = choose(models, serving)
    assert choice == choose(shuffled, serving)
    assert choice.best not in choice.not_compared
    if choice.best.name != serving and serving in {one.name for one in models}:
        (incumbent,) = (one for one in models if one.name == serving)
        assert incumbent.ratios.keys() & choice.best.ratios.keys()

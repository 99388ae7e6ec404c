import pytest

from retouch.settings.harmonization import AdversarialSettings
from retouch.settings.presets import use
from retouch.training.schedule import Clock, learning_rate


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    model = use("sample", target=tmp_path_factory.mktemp("s") / "params.yaml").models["sgmmh-om"]
    return model.model_copy(update={"steps": 80, "learning_rate": 1e-3, "milestones": [0.5], "gamma": 0.5})


def test_the_rate_falls_at_the_milestones(sample):
    assert [learning_rate(sample, step) for step in (0, 39, 40, 79)] == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4])


def test_each_phase_has_milestones_of_its_own(sample):
    second = AdversarialSettings(weight=0.005, width=4, begin=0.5, learning_rate=3e-4, milestones=[0.25, 0.75])
    both = sample.model_copy(update={"adversarial": second})
    rates = [learning_rate(both, step) for step in (0, 19, 20, 39, 40, 49, 50, 69, 70, 79)]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4, 3e-4, 3e-4, 1.5e-4, 1.5e-4, 7.5e-5, 7.5e-5])


def test_a_first_phase_is_the_training_that_ends_with_it(sample):
    second = AdversarialSettings(weight=0.005, width=4, begin=0.8, learning_rate=3e-4, milestones=[0.25])
    longer = sample.model_copy(update={"steps": 100, "adversarial": second})
    assert [learning_rate(longer, step) for step in range(80)] == [learning_rate(sample, step) for step in range(80)]


def test_without_a_time_limit_the_position_is_the_step(sample):
    clock = Clock(sample, 1e9, broadcast=lambda value: value)
    assert [clock.position(step) for step in (0, 7)] == [0, 7]


def test_with_a_time_limit_all_processes_take_the_place_of_the_first(sample):
    limited = sample.model_copy(update={"minutes": 1.0})
    late = Clock(limited, 30.0, broadcast=lambda value: value)  # half of the time was spent before an interruption
    assert late.position(0) == pytest.approx(0.5 * limited.steps, rel=0.05)
    assert late.position(limited.steps - 1) == limited.steps - 1
    other = Clock(limited, 0.0, broadcast=lambda value: late.position(0))
    assert other.position(0) == pytest.approx(0.5 * limited.steps, rel=0.05)
    assert Clock(limited, 61.0, broadcast=lambda value: value).position(0) >= limited.steps

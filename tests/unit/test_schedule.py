import pytest

from retouch.settings import AdversarialSettings
from retouch.settings.presets import use
from retouch.training.schedule import learning_rate, second_phase


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    model = use("sample", target=tmp_path_factory.mktemp("s") / "params.yaml").models["sgmmh-om"]
    return model.model_copy(update={"steps": 80, "learning_rate": 1e-3, "milestones": [0.5], "gamma": 0.5})


def test_the_rate_falls_at_the_milestones(sample):
    assert [learning_rate(sample, step) for step in (0, 39, 40, 79)] == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4])
    assert second_phase(sample, 79) is None


def test_each_phase_has_milestones_of_its_own(sample):
    second = AdversarialSettings(weight=0.005, width=4, begin=0.5, learning_rate=3e-4, milestones=[0.25, 0.75])
    both = sample.model_copy(update={"adversarial": second})
    rates = [learning_rate(both, step) for step in (0, 19, 20, 39, 40, 49, 50, 69, 70, 79)]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4, 3e-4, 3e-4, 1.5e-4, 1.5e-4, 7.5e-5, 7.5e-5])
    assert [second_phase(both, step) is second for step in (0, 39, 40, 79)] == [False, False, True, True]


def test_a_first_phase_is_the_training_that_ends_with_it(sample):
    second = AdversarialSettings(weight=0.005, width=4, begin=0.8, learning_rate=3e-4, milestones=[0.25])
    longer = sample.model_copy(update={"steps": 100, "adversarial": second})
    assert [learning_rate(longer, step) for step in range(80)] == [learning_rate(sample, step) for step in range(80)]

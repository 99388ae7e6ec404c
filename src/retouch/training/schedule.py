"""Which phase of a training a step is in, and its learning rate."""

from retouch.settings import AdversarialSettings, ModelSettings


def second_phase(settings: ModelSettings, step: float) -> AdversarialSettings | None:
    """The settings of the adversarial phase where `step` is in it."""
    second = settings.adversarial
    return second if second is not None and step >= second.begin * settings.steps else None


def learning_rate(settings: ModelSettings, step: float) -> float:
    """The rate at a step: multiplied by gamma at each milestone, a share of the phase's steps."""
    second = second_phase(settings, step)
    border = settings.steps * (settings.adversarial.begin if settings.adversarial else 1.0)
    begin, end = (border, settings.steps) if second else (0.0, border)
    rate, milestones = (second or settings).learning_rate, (second or settings).milestones
    return rate * settings.gamma ** sum(step >= begin + share * (end - begin) for share in milestones)

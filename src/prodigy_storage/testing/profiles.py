"""How long Hypothesis looks for a counterexample."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def register_profiles(load: str | None = None) -> None:
    """Register the profiles `dev` (short), `ci` (derandomised) and `nightly` (long); call it in a `conftest.py`.

    Args:
        load: The profile to load at once; None leaves the choice to `--hypothesis-profile`.
    """
    settings.register_profile(
        "dev", max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=_SLOW
    )
    settings.register_profile(
        "ci", max_examples=200, stateful_step_count=60, deadline=None, derandomize=True, suppress_health_check=_SLOW
    )
    settings.register_profile(
        "nightly", max_examples=2000, stateful_step_count=500, deadline=None, suppress_health_check=_SLOW
    )
    if load is not None:
        settings.load_profile(load)

"""How much Hypothesis tries: `ci` (the default) always tries the same, `dev` something new each time."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("nightly", deadline=None, print_blob=True, max_examples=5_000, stateful_step_count=200)
settings.load_profile("ci")

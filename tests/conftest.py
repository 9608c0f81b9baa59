"""How much Hypothesis tries: the profile `ci` always tries the same; choose with `--hypothesis-profile`."""

from __future__ import annotations

from prodigy_storage.testing import register_profiles

register_profiles(load="ci")

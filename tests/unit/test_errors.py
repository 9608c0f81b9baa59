from __future__ import annotations

import copy
import pickle

import attrs
import pytest

from prodigy_storage import errors

EVERY = sorted(
    (value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.StorageError)),
    key=lambda cls: cls.__name__,
)

SAMPLES = {"str": "text", "int": 7, "int | None": 9, "str | None": "v2", "tuple[str, ...]": ("a", "b")}


def sample(cls):
    """An error with a value of its own in every field."""
    return cls(**{field.name: SAMPLES[str(field.type)] for field in attrs.fields(cls)})


def fields(error):
    return {field.name: getattr(error, field.name) for field in attrs.fields(type(error))}


@pytest.fixture(params=EVERY, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


def test_pickle_keeps_every_field(cls):
    """An error that crosses a process boundary keeps its type and all its fields."""
    error = sample(cls)
    back = pickle.loads(pickle.dumps(error))

    assert type(back) is cls
    assert fields(back) == fields(error)
    assert str(back) == "text"


def test_copy_keeps_every_field(cls):
    """A copied error is the same error again."""
    error = sample(cls)

    assert fields(copy.copy(error)) == fields(error)


def test_message_is_what_a_user_sees(cls):
    """The text of an error is its message, and only that."""
    assert str(cls("what went wrong")) == "what went wrong"
    assert cls("x").hint == ""


def test_errors_are_told_apart_by_identity(cls):
    """Two errors with the same fields are two events."""
    assert sample(cls) != sample(cls)


def test_codes_are_unique():
    """Each error has a code of its own."""
    codes = [cls.code for cls in EVERY]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.NotFound, LookupError),
        (errors.Ambiguous, LookupError),
        (errors.Fenced, errors.Conflict),
        (errors.InvalidTransition, ValueError),
        (errors.Corrupt, ValueError),
        (errors.StorageFull, OSError),
        (errors.ReadOnly, PermissionError),
        (errors.Unsupported, RuntimeError),
        (errors.TooLarge, ValueError),
        (errors.InvalidName, ValueError),
        (errors.InvalidValue, ValueError),
        (errors.Unavailable, ConnectionError),
        (errors.Timeout, errors.Unavailable),
        (errors.Timeout, TimeoutError),
        (errors.DurabilityUnknown, OSError),
        (errors.Closed, ValueError),
        (errors.ConfigError, ValueError),
    ],
    ids=lambda cls: cls.__name__,
)
def test_the_builtin_that_a_caller_would_try_catches_it(cls, builtin):
    """An error is caught by the builtin, or the broader error, that a caller would name first."""
    with pytest.raises(builtin):
        raise cls("x")


def test_only_durability_unknown_leaves_the_outcome_open():
    """Every error says that nothing happened, except the one whose point is that it is not known."""
    unknown = [cls for cls in EVERY if cls.outcome is errors.Outcome.UNKNOWN]

    assert unknown == [errors.DurabilityUnknown]


def test_conflict_names_the_operation():
    """A conflict says which operation did not hold, and what was found instead."""
    error = errors.Conflict("changed", operation=2, kind="session", id="s1", actual="v9")

    assert fields(error) == {
        "message": "changed",
        "hint": "",
        "operation": 2,
        "kind": "session",
        "id": "s1",
        "actual": "v9",
    }


def test_locked_names_the_holder():
    """A lock that is held says by whom, where and since when."""
    error = errors.Locked("held", name="job", holder="w1", pid=12, host="h", since="2026-01-01T00:00:00Z", epoch=3)

    assert (error.holder, error.pid, error.host, error.epoch) == ("w1", 12, "h", 3)


def test_corrupt_names_the_place():
    """Damage says where it is and why it cannot be read."""
    error = errors.Corrupt("bad", place="/x", offset=0, reason="crc")

    assert (error.place, error.offset, error.reason) == ("/x", 0, "crc")

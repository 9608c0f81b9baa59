"""The event log: what happened, buffered on the way in, streamed on the way out."""

from prodigy_storage.services.events.following import Follower
from prodigy_storage.services.events.logger import EventLogger
from prodigy_storage.services.events.reader import EventReader
from prodigy_storage.services.events.reading import FoundEvents
from prodigy_storage.services.events.service import Events

__all__ = ["EventLogger", "EventReader", "Events", "Follower", "FoundEvents"]

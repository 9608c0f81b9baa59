"""Files that only Prodigy itself writes, and writing so that Prodigy reads it."""

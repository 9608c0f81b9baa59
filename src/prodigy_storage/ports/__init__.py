"""What the library asks of the world, in bytes and strings: storage, locks, clock, and the process around it."""

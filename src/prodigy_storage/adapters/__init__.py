"""What meets the world: backends in memory and in files, and the process around the library."""

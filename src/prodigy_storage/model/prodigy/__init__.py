"""What Prodigy keeps in files of its own: job state, checkpoints, worktrees."""

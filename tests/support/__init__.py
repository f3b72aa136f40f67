"""Real servers and small helpers that tests share."""

"""`gemwatch wait`: waits for jobs with or without a daemon. Called by `cli`."""

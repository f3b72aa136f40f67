"""The decision about a poll: the memory of a job, and the rules that update it. Called by `engine.poller`."""

"""Messages in words: pure functions from events to what people read. Called by the dispatcher and the commands."""

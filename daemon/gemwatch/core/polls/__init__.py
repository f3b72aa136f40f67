"""What one poll of a job means: values for what is known of a job, and the decision. Called by `engine.poller`."""

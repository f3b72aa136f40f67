"""Learns from earlier runs: when a job is likely to end, how good such estimates were, and how often to poll."""

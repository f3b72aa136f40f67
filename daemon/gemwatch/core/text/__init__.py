"""Composes and renders messages, with pure functions. Called by the dispatcher and the commands."""

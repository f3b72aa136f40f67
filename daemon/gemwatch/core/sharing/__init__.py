"""Decisions of several daemons that share one store."""

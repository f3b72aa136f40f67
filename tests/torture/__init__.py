"""Attacks on the whole program: kills, broken edits, load over time. Quick ones are tests, long ones scripts."""

"""Measures the program as it is shipped next to bare loops of the same client, in one run on one machine.

Absolute numbers belong to a machine and an hour. Ratios travel: they are what the bars are set on.
"""

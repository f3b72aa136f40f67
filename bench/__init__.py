"""Measures the installed program compared with bare loops of the same client, in one run on one machine.

Absolute numbers depend on the machine and its load, ratios hardly do. So the bars are ratios.
"""

"""Builds and runs the program: wiring, configuration, status reports, metrics, logs, systemd.

Called by `cli` and `demo`.
"""

"""The two kinds of database: how each is opened and kept from a second daemon, and how a store moves between them.

Called by the modules of the store, and by `cli` for the start and for `db`. Statements differ in dialects.py only.
"""

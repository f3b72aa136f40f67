"""What lists of jobs bring into the store: watches that rules add.

Called by `engine` through its ports, by watch_list for the rules in force, and by housekeeping to prune.
"""

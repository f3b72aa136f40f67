"""The commands that read the lists of jobs, and what others do to the jobs that rules find."""

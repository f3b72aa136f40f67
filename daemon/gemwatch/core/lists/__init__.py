"""What lists of jobs mean: which jobs rules find."""

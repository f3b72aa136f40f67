"""The world at the edges: one outside thing a file, one library a file."""

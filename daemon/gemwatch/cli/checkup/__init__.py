"""What `gemwatch doctor` looks at: one part of the world a module, each of which gives findings."""

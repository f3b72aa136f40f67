"""`gemwatch doctor`: one module per thing that is checked, and the command that runs them. Called by `cli`."""

"""What the commands print: tables, jobs and the service in words, a full screen, and streams that may be closed."""

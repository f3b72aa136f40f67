"""The HTTP server: connections, access, sessions, allowed hosts, event streams, health. Called by `web.site`."""

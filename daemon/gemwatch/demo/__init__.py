"""The demo: a simulated GEM API, and the real daemon that watches it."""

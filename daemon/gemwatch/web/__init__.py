"""The HTTP server: health, metrics, the JSON API and the pages. `site.py` assembles them."""

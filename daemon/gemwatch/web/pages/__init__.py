"""The pages for browsers: what they show, templates, static files, live updates. Called by `web.site`."""

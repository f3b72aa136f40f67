"""The JSON API and its OpenAPI document. Called by `web.site`."""

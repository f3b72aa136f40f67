"""What commands, pages, API and metrics read: typed rows (rows), and their JSON (json_shapes).

`Records` is for commands and metrics, `Views` for pages and API.
"""

"""HTTP for outgoing requests: sessions, proxies, descriptions of failures, and the heartbeat call.

Called by `adapters.gem` and `app`.
"""

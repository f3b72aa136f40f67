"""HTTP connections that every outgoing request shares: sessions, proxies, failures in words, the heartbeat call.

Called by `adapters.gem` and `app`.
"""

"""The predictor that answers requests: a core that knows no server, and one thin adapter per server.

Runs as a process (`python -m components.serve`) on a laptop and in a pod on a cluster. No stage imports it; deploy starts it.
"""

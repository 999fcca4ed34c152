"""The model server: a predictor that is independent of any web server, and one thin adapter per server.

Runs as a process (`python -m components.serve`) on a laptop and in a pod on a cluster. No stage imports it; deploy starts it.
"""

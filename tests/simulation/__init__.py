"""A deterministic simulation: the real gateway and the simulator's world on virtual time.

One thread, no sockets, and a seed that decides everything: carriers, faults, crashes, clients.
"""

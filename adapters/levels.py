"""How much of each adapter is proved. Written by `python -m tests.levels`: hands off.

Listed: the contract suite passes, every code has a golden reply. Proven: what the adapter declares
holds against its simulated carrier too, repeats and lost answers among it.
"""

LEVELS = {
    "sf": "proven",
    "zto": "proven",
    "yto": "proven",
    "jdl": "proven",
    "ldop": "proven",
    "sto": "proven",
    "jt": "proven",
    "kuaidi100": "proven",
    "ups": "proven",
    "yunda": "proven",
}
SOURCES = {
    "sf": "5c6c38f5a8b32aed",
    "zto": "8fcfa4b90bec605e",
    "yto": "040fce6fb7540c9c",
    "jdl": "36a361130aba49f2",
    "ldop": "b1aa15195e9ddaa3",
    "sto": "93534b70b57e15e8",
    "jt": "15085b223d21d02f",
    "kuaidi100": "735dfc4e6f4526d5",
    "ups": "b1c819c2c06ebac2",
    "yunda": "cd13d93c9274cb03",
}

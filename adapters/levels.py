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
    "sf": "928e2bf98f7c0dbd",
    "zto": "accd60fdd13c9a16",
    "yto": "d79cb2526b6de354",
    "jdl": "628cc25c347106b3",
    "ldop": "dd380461c9cc8373",
    "sto": "e2afb18a3c92b154",
    "jt": "b51d582a58831db4",
    "kuaidi100": "181309b2256c1164",
    "ups": "e12016dcbbe700ee",
    "yunda": "0195e65f622d1d47",
}

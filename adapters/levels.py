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
    "sf": "e1b4cbe8c0e8309b",
    "zto": "22754150f451a8ab",
    "yto": "86bb40027fb3537a",
    "jdl": "5df0482e5898e31c",
    "ldop": "846cfe94df22606f",
    "sto": "c77ff756f84a179f",
    "jt": "4fe1a54c8fbac73a",
    "kuaidi100": "0a15bd4225357966",
    "ups": "26f0a68d3a8fbb90",
    "yunda": "cd13d93c9274cb03",
}

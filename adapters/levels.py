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
    "sf": "466eefe3fbf0baf3",
    "zto": "3ffd7bec27730472",
    "yto": "84e89e7e406fef2a",
    "jdl": "8a8c698d368eaf56",
    "ldop": "ee2dae9a7963c619",
    "sto": "9c703a487a3d11e7",
    "jt": "41cb5410a25d1533",
    "kuaidi100": "6f4e111475d31617",
    "ups": "c22937adc119f9c8",
    "yunda": "b7b8077d65e14e8a",
}

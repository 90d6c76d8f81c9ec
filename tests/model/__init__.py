"""A model of the protocol that settles an unknown, explored in every interleaving."""

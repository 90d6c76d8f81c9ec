"""Generated from proto/ by `make proto`; never edited.

The generated servicers, whose methods raise NotImplementedError, are inherited by nothing: the
server makes a handler of each method of the descriptors, and does not start where one has none.
"""

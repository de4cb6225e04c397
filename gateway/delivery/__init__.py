"""Delivery: notices wait here until their addressee has them, at least once, in order for each child (decision 0033).

What lives here: what is accepted, how it is sealed, when it is tried again, what a person may do. What may not: the
database but in storage.py, any adapter, any key.
"""

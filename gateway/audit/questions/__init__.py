"""Questions answered from a copy of the log alone: who was told what about whom, the register, one proof to keep.

Nothing here judges a log: each answer stands on an audit that held, or on an index that was made from one.
"""

"""The family's view: who received what about a child, when, for what purpose (docs/decisions/0036).

What lives here: a note for each disclosure, sealed, and the answer that is made of them. What may not: a subject's id.
"""

"""Verifications of a whole file: what was announced, which lines have an answer, and how fast the registry is asked.

What lives here: batches, their lines, their pace. What may not: a NIREC at rest, a subject, how a registry is asked.
"""

"""Step 8: evidence, leaves, the sealed records, and the signed Merkle log.

What lives here: a pure core (merkle, tiles, note, leaf, record, sealing, evidence) and, apart from it, storage,
writer, sequencer and publisher. What may not: another room, or what evidence may not keep (L1).
docs/formats.md gives every format byte by byte.
"""

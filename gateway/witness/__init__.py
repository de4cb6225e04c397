"""A witness: an independent server that cosigns what a log shows everybody (C2SP tlog-witness, DESIGN L10).

What lives here: its request, its memory, its judgement, its listener. What may not: anything of a gateway's own, whose
log it watches; it runs at another organisation.
"""

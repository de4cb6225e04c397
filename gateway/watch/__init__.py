"""What an operator sees: meters in each process, the facts gathered from them, alarms and metrics.

What lives here: counting, reading and judging. What may not: anything that an exchange waits for.
"""

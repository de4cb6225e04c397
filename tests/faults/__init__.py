"""A bad night: processes killed, disks full, clocks wrong, peers slow; with real processes, and the audit afterwards.

What lives here: faults that a process can suffer from outside. `FAULT_ROUNDS=50` is the full form (`make faults`).
"""

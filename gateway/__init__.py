"""The gateway: one exchange in eight steps, the rooms that each own a step, and the faces around them.

Imports run one way: cli -> app -> http -> exchange, audit, client -> the rooms -> model, ports, errors.
"""

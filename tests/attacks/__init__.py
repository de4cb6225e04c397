"""Every refusal of DESIGN, section 10, that callers and upstreams can provoke: a table a family, through real sockets.

What lives here: attacks by name, each beside its good case; the check that answers each stands in tests/mutations.toml.
"""

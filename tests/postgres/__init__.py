"""PostgreSQL for the tests: a cluster of their own, on a unix socket."""

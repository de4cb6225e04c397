"""Tests of the adapters, against their sandboxes over real sockets."""

"""Adapters: a folder per outside system, each with its adapter and its sandbox; soap.py and resilience.py shared."""

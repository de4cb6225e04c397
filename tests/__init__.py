"""Tests, a folder per part of the tree."""

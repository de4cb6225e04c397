"""Tests of the offline audit."""

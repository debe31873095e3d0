"""Draws pixels one after another: samples, streams, completions."""

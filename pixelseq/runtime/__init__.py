"""Helpers that know nothing of images: files, signals, processes, command lines, JSON."""

"""Diagonal scan: the recurrence of a Diagonal BiLSTM."""

"""The row scan: the recurrence of a Row LSTM."""

"""Row scan: the recurrence of a Row LSTM."""

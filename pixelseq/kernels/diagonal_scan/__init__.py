"""The diagonal scan: the recurrence of a Diagonal BiLSTM."""

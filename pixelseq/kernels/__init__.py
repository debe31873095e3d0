"""The recurrences, the only slow part of the model, as pure functions on arrays, without weights or modules."""

from pixelseq.kernels.backends import diagonal_scan, row_scan
from pixelseq.kernels.lstm_cell import lstm_cell

__all__ = ["diagonal_scan", "lstm_cell", "row_scan"]

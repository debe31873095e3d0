"""Pure functions on arrays, without weights or modules: the recurrences, the only slow part of the model."""

from pixelseq.kernels.diagonal_scan.reference import diagonal_scan
from pixelseq.kernels.lstm_cell import lstm_cell
from pixelseq.kernels.row_scan.reference import row_scan

__all__ = ["diagonal_scan", "lstm_cell", "row_scan"]

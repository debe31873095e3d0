"""The row scan on CUDA: a step takes one row of all images of a program; see `kernels/triton/scan.py`."""

from __future__ import annotations

from pixelseq.kernels.triton.op import scan_op

row_scan = scan_op("row_scan", diagonal=False)

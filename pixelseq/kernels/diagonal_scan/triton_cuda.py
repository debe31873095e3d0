"""The diagonal scan on CUDA: a step takes one diagonal of all images of a program; see `kernels/triton/scan.py`."""

from __future__ import annotations

from pixelseq.kernels.triton.op import scan_op

diagonal_scan = scan_op("diagonal_scan", diagonal=True)

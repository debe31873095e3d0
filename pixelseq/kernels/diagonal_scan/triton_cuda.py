"""Diagonal scan on CUDA: a step is a diagonal of all images of a program; see `kernels/triton_scan.py`."""

from __future__ import annotations

from pixelseq.kernels.triton.op import scan_op

diagonal_scan = scan_op("diagonal_scan", diagonal=True)

"""Data sets of images from wherever they are, and images as batches of levels."""

from pixelseq.data.batches import by_width, collate, training_batches
from pixelseq.data.loading import load
from pixelseq.data.options import DataOptions
from pixelseq.data.store import Dataset, Images, Store, View
from pixelseq.data.streaming import Stream

__all__ = [
    "DataOptions",
    "Dataset",
    "Images",
    "Store",
    "Stream",
    "View",
    "by_width",
    "collate",
    "load",
    "training_batches",
]

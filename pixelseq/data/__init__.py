"""Data sets of images from any source, and batches of levels made of them."""

from pixelseq.data.batches import batches_by_width, training_batches
from pixelseq.data.dataset import Dataset, SourceImages
from pixelseq.data.loading import load, load_as_named
from pixelseq.data.options import DataOptions
from pixelseq.data.store import Images, Store, View
from pixelseq.data.streaming import Stream

__all__ = [
    "DataOptions",
    "Dataset",
    "Images",
    "SourceImages",
    "Store",
    "Stream",
    "View",
    "batches_by_width",
    "load",
    "load_as_named",
    "training_batches",
]

"""Says where each number of the compiled walk lies, once for the code that packs a model and the code that walks it.

Weights and states are flat arrays of floats. A record of whole numbers, [BLOCK_SIZE], describes a block of the trunk:
the kind and the size of its layer, and where its weights and its state begin. Other records describe each colour of the
head, [COLOUR_SIZE], and the net as a whole, [NET_SIZE]. Every axis of features is padded with zeros to a multiple of
LANES, each gate by itself.
"""

from __future__ import annotations

from pixelseq.kernels.numba.simd import LANES

LAYERS = ("diagonal", "row", "conv")
"""Kinds of layers, by the names that configurations give them; `NAME_layer` of `layers.py` walks one."""

# A block's record.
KIND, FEATURES, HIDDEN, COLUMNS, PROJECT = range(5)
"""The entries of a block's record: the layer's place in LAYERS; features F of the stream and D of the layer, padded;
columns, the empty one included; the offset in the weights of the projection back to the stream, bias first."""
WEIGHT = 5
"""The first entry of the offsets of the layer's weights, in the order of its `walk_weights`."""
STATE = 9
"""The first entry of the offsets of the layer's state, in the order of its `init_state`."""
BLOCK_SIZE = 15

# A colour's record: the offsets of its three maps, bias first (the second has none); its widths, padded.
FROM_FEATURES, FROM_EARLIER, TO_OUTPUTS, OUTPUTS, HEAD_HIDDEN = range(5)
COLOUR_SIZE = 5

# The net's record.
STREAM, COLOURS, LEVELS, WIDTH, FIRST, KERNEL, ROWS, WINDOW, INPUTS, MIXTURES, SCRATCH, CONDITIONED = range(12)
"""The entries of the net's record: features of the stream, padded; colours; levels; columns of the image; the
first convolution's offset in the weights, kernel width, kernel rows, columns of its window, and inputs per pixel (its
state, the window, lies at 0); the
components of a mixture head, 0 for a softmax; the size of the scratch that a walk needs; the block before which the
condition's features are added, or UNCONDITIONAL."""
NET_SIZE = 12
UNCONDITIONAL = -1


def padded(count: int) -> int:
    """Rounds `count` up to a multiple of LANES."""
    return count + -count % LANES


def scratch_size(features: int, hidden: int) -> int:
    """Gives the size of the scratch that the layers of a trunk need: the layer's result [D], then a vector of the
    stream or two sets of gates."""
    return hidden + max(features, 8 * hidden)

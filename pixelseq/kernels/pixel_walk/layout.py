"""Where each number of the compiled walk lies, written once: read by what packs a model and by what walks it.

Weights and states are flat arrays of floats. A block of the trunk is a record of whole numbers, [BLOCK_SIZE], that says
of what kind its layer is, how large it is, and where its weights and its state begin; a colour of the head is another,
[COLOUR_SIZE], and the net as a whole a third, [NET_SIZE]. Every axis of features is padded with zeros to a multiple of
LANES, each gate by itself.
"""

from __future__ import annotations

from pixelseq.kernels.numba.simd import LANES

LAYERS = ("diagonal", "row", "conv")
"""Kinds of layers, by the names that configurations give them; `NAME_layer` of `layers.py` walks one."""

# A block's record.
KIND, FEATURES, HIDDEN, COLUMNS, PROJECT = range(5)
"""Place in LAYERS; features F of the stream and D of the layer, padded; columns, the empty one included; the offset in
the weights of the projection back to the stream, bias first."""
WEIGHT = 5
"""From here on the offsets of the layer's weights, in the order of its `walk_weights`."""
STATE = 9
"""From here on the offsets of the layer's state, in the order of its `init_state`."""
BLOCK_SIZE = 15

# A colour's record: offsets of its three maps, each with its bias first but the second; its widths, padded.
FROM_FEATURES, FROM_EARLIER, TO_OUTPUTS, OUTPUTS, HEAD_HIDDEN = range(5)
COLOUR_SIZE = 5

# The net's record.
STREAM, COLOURS, LEVELS, WIDTH, FIRST, KERNEL, ROWS, INPUTS, MIXTURES, SCRATCH = range(10)
"""Features of the stream, padded; colours; levels; columns of the image; the first convolution's offset in the weights,
kernel, rows and inputs of a pixel (its state lies at 0); components of a mixture head, 0 for a softmax; size of the
scratch that a walk needs."""
NET_SIZE = 10


def padded(count: int) -> int:
    """The next multiple of LANES."""
    return count + -count % LANES


def scratch_size(features: int, hidden: int) -> int:
    """Numbers that the layers of a trunk may use for themselves: the layer's result [D], then a vector of the stream
    or two sets of gates."""
    return hidden + max(features, 8 * hidden)

"""Torch modules: they own weights, check shapes and call the kernels."""

from pixelseq.layers.causal_layer import CausalLayer, LayerState
from pixelseq.layers.context_encoder import ContextEncoder
from pixelseq.layers.diagonal_bilstm import DiagonalBiLSTM
from pixelseq.layers.head import CategoricalHead, ExactLinear, Head, LogisticMixtureHead, OrderedLogits
from pixelseq.layers.masked_conv import ConvBlock, MaskedConv
from pixelseq.layers.pixels import PixelEncoding
from pixelseq.layers.residual import ResidualBlock, ResidualStack
from pixelseq.layers.row_lstm import RowLSTM

__all__ = [
    "CategoricalHead",
    "CausalLayer",
    "ContextEncoder",
    "ConvBlock",
    "DiagonalBiLSTM",
    "ExactLinear",
    "Head",
    "LayerState",
    "LogisticMixtureHead",
    "MaskedConv",
    "OrderedLogits",
    "PixelEncoding",
    "ResidualBlock",
    "ResidualStack",
    "RowLSTM",
]

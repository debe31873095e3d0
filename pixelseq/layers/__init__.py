"""Torch modules: they own weights, check shapes and call the kernels."""

from pixelseq.layers.causal_layer import CausalLayer, LayerState
from pixelseq.layers.conditioning import Conditioning
from pixelseq.layers.context_encoder import ContextEncoder
from pixelseq.layers.context_net import ContextNet
from pixelseq.layers.diagonal_bilstm import DiagonalBiLSTM
from pixelseq.layers.head import Head, LogisticMixtureHead, SoftmaxHead
from pixelseq.layers.masked_conv import ConvBlock, MaskedConv
from pixelseq.layers.ordered_logits import ExactLinear, OrderedLogits
from pixelseq.layers.pixels import PixelEncoding
from pixelseq.layers.residual import ResidualBlock, ResidualStack
from pixelseq.layers.row_lstm import RowLSTM

BLOCKS = {layer.name: layer for layer in (RowLSTM, DiagonalBiLSTM, ConvBlock)}
"""The layers that a trunk can be built of, each made of (features, hidden)."""

__all__ = [
    "BLOCKS",
    "CausalLayer",
    "Conditioning",
    "ContextEncoder",
    "ContextNet",
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
    "SoftmaxHead",
]

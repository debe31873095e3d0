"""PixelRNN: context encoder, stack of blocks, head.

Shapes: B batch, C colours, H rows, W columns, F features, Q numbers per colour value, V levels.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn

from pixelseq.layers import (
    BLOCKS,
    Conditioning,
    ContextEncoder,
    ContextNet,
    Head,
    LogisticMixtureHead,
    MaskedConv,
    PixelEncoding,
    ResidualBlock,
    ResidualStack,
    SoftmaxHead,
)
from pixelseq.model import checkpoint
from pixelseq.model.batch import Batch
from pixelseq.model.condition import Condition, check_size
from pixelseq.model.condition_rows import ConditionRows
from pixelseq.model.config import ModelConfig
from pixelseq.model.inputs import Integers, as_tensor, whole_number
from pixelseq.model.orders import check_order, turn, turn_back
from pixelseq.model.state import State
from pixelseq.model.trained_on import TrainedOn


class PixelRNN(nn.Module):
    """An exact distribution over images of any size, value by value in raster order.

    van den Oord, Kalchbrenner, Kavukcuoglu (2016), Pixel Recurrent Neural Networks, arXiv:1601.06759.

    On CUDA, torch lets float32 convolutions round to TF32 unless `torch.backends.cudnn.allow_tf32 = False`; with it
    `forward` and `step` agree to about 1e-3 only. The scripts switch it off.

    Args:
        config: the shapes of the model and the format of its images.

    Attributes:
        config: the configuration that it was built with.
        trained_on: what it was trained on, where that is known; saved beside the configuration.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.trained_on: TrainedOn | None = None
        self.pixels = PixelEncoding(config.pixel_format)
        self.encoder = ContextEncoder(
            config.pixel_format.channels * self.pixels.features,
            config.hidden,
            config.context_kernel,
            config.context_blocks,
            config.dropout,
        )
        self.conditioning = (
            Conditioning(config.classes, config.vector_features, config.orders, self._build_context(), config.features)
            if config.conditional
            else None
        )
        self.blocks = ResidualStack(
            ResidualBlock(BLOCKS[name](config.features, config.hidden), config.hidden, config.dropout)
            for name in config.blocks
        )
        self.head = self._build_head()

    def _build_context(self) -> ContextNet | None:
        context = self.config.context
        if context is None:
            return None
        return ContextNet(context.pixel_format, context.features, context.blocks, self.config.features)

    def _build_head(self) -> Head:
        config, V, C = self.config, self.config.pixel_format.levels, self.config.pixel_format.channels
        F, Q = config.features, self.pixels.features
        if config.head == "logistic_mixture":
            return LogisticMixtureHead(F, C, config.head_features, V, config.mixtures)
        return SoftmaxHead(F, C, Q, config.head_features, V, ordered=config.pixel_format.ordered)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.encoder.first.weight.device

    @property
    def num_parameters(self) -> int:
        """The number of weights in use; those that a mask hides are not counted."""
        masked = sum(module.masked_parameters for module in self.modules() if isinstance(module, MaskedConv))
        return sum(parameter.numel() for parameter in self.parameters()) - masked

    def forward(self, images: Integers, condition: Condition | None = None, order: int = 0) -> Tensor:
        """Gives the log-probabilities of every level of every value, given the values before it.

        Args:
            images: integer levels [B, C, H, W], any H, W >= 1, as a tensor or a NumPy array.
            condition: what the images are told by, of B images or of one for all; None tells nothing.
            order: the raster order, which says what comes before a value; 0 to `config.orders` - 1.

        Returns:
            [B, V, C, H, W], nats.

        Raises:
            TypeError: the images are neither a tensor nor an array of integers.
            ValueError: the images have another shape or type, or a level that the model does not have; the model cannot
                be told the condition, or has not learned the order.
        """
        levels, features = self._turned(images, condition, order)
        log_probs = self.log_probs(self.pixels(levels), features)
        return turn_back(rearrange(log_probs, "b h w c v -> b v c h w"), order)

    def nll(self, images: Integers, condition: Condition | None = None, order: int = 0) -> Tensor:
        """Gives the negative log-likelihood of every value, given the values before it.

        Args:
            images: as in `forward`.
            condition: as in `forward`.
            order: as in `forward`.

        Returns:
            [B, C, H, W], nats.

        Raises:
            TypeError: for the reason of `forward`.
            ValueError: for the reasons of `forward`.
        """
        levels, features = self._turned(images, condition, order)
        return turn_back(rearrange(self._nll(levels, features), "b h w c -> b c h w"), order)

    def log_prob(self, images: Integers, condition: Condition | None = None) -> Tensor:
        """Gives the log-probability of whole images: that of the mean of the model's distributions in all its orders.

        Args:
            images: as in `forward`.
            condition: as in `forward`.

        Returns:
            [B], float64, nats.

        Raises:
            TypeError: for the reason of `forward`.
            ValueError: for the reasons of `forward`.
        """
        orders = range(self.config.orders)
        nats = torch.stack([self.nll(images, condition, order).double().sum((1, 2, 3)) for order in orders])
        return (-nats).logsumexp(0) - math.log(len(orders))

    def checked_nll(self, batch: Batch, more: Tensor | None = None) -> Tensor:
        """Gives the nats [B, C, H, W] of a batch whose levels and condition have been checked.

        The checks may wait for the device; this does not.

        Args:
            batch: the batch.
            more: [B, 1, 1, F], features that are added to those of the condition.
        """
        levels = rearrange(batch.levels, "b c h w -> b h w c").long()
        told, inside = batch.condition, None
        if self.config.context is not None:
            inside = batch.inside
            if told.image is None and torch.is_grad_enabled():
                # Processes that share gradients must have one of every weight.
                told = self._of_untold_images(batch.levels, told)
        features = self._condition_features(len(levels), told, batch.orders, inside)
        if more is not None:
            features = more if features is None else features + more
        return rearrange(self._nll(levels, features), "b h w c -> b c h w")

    def _nll(self, levels: Tensor, features: Tensor | None) -> Tensor:
        pixels = self.pixels(levels)
        return self.head.nll(self.features(pixels, features), pixels, levels)

    def _turned(self, images: Integers, condition: Condition | None, order: int) -> tuple[Tensor, Tensor | None]:
        """Gives levels [B, H, W, C], int64, turned, and the features of the condition."""
        images = as_tensor(images, "images", self.device)
        self.check_images(images)
        size = (images.shape[2], images.shape[3])
        features = self.condition_features(len(images), condition, order, size)  # which checks all
        return rearrange(turn(images, order), "b c h w -> b h w c").long(), features

    def log_probs(self, pixels: Tensor, condition_features: Tensor | None = None) -> Tensor:
        """Gives log-probabilities, differentiable in encoded pixels: [B, H, W, C, Q] -> [B, H, W, C, V], nats."""
        return self.head.log_probs(self.features(pixels, condition_features), pixels)

    def features(self, pixels: Tensor, condition_features: Tensor | None = None) -> Tensor:
        """Runs the trunk: encoded pixels [B, H, W, C, Q] -> features [B, H, W, F] of strictly earlier pixels."""
        encoded = self.encoder(pixels.flatten(3))
        if condition_features is not None:
            encoded = encoded + condition_features
        return self.blocks(encoded)[:, :, :-1]  # without the encoder's empty column

    def condition_features(
        self, batch: int, condition: Condition | None, order: int, size: tuple[int, int]
    ) -> Tensor | None:
        """Makes the features that a condition and an order add to the encoder's output.

        Args:
            batch: B, the number of images.
            condition: as in `forward`.
            order: as in `forward`.
            size: H and W, the rows and columns of the images, not turned.

        Returns:
            [B, H, W + 1, F], turned, where a condition image is told, and otherwise [B, 1, 1, F], the same at every
            pixel; None for a model that is told nothing.

        Raises:
            ValueError: the model cannot be told the condition, has not learned the order, or condition images have
                another size.
        """
        condition = self._checked(batch, condition, order).for_images(batch)
        check_size(condition, *size)
        return self._condition_features(batch, condition.turned(order), torch.full((batch,), order))

    def _checked(self, batch: int, condition: Condition | None, order: int) -> Condition:
        """Gives the condition of `batch` images, or of one for all; raises ValueError where it is none, as above."""
        check_order(order, self.config.orders)
        condition = condition or Condition()
        condition.check_batch(batch)
        condition.check(self.config)
        return condition

    def _condition_features(
        self, batch: int, condition: Condition, orders: Tensor | None, inside: Tensor | None = None
    ) -> Tensor | None:
        """Makes `condition_features` of a condition that has been checked and turned, and of orders [B], one per image.

        Rows that are not `inside` [B, H, W] are padding; there is none by default.
        """
        if self.conditioning is None:
            return None
        told = condition.to(self.device)
        features = self._constant_features(batch, told, orders)[:, None, None]
        if self.config.context is None:
            return features
        return features + self.conditioning.of_images(told.image, told.image_known, inside)

    def _constant_features(self, batch: int, told: Condition, orders: Tensor | None) -> Tensor:
        assert self.conditioning is not None
        orders = None if orders is None else orders.to(self.device)
        features: Tensor = self.conditioning(batch, told.label, told.vector, told.vector_known, orders)
        return features

    def _of_untold_images(self, levels: Tensor, told: Condition) -> Condition:
        """Adds condition images to a condition of the images [B, C, H, W], of which nothing is known."""
        assert self.config.context is not None
        B, _, H, W = levels.shape
        image = levels.new_zeros(B, self.config.context.pixel_format.channels, H, W)
        return replace(told, image=image, image_known=levels.new_zeros(B, H, W, dtype=torch.bool))

    def init_state(self, batch: int, width: int, condition: Condition | None = None, order: int = 0) -> State:
        """Makes the state before the first pixel.

        Args:
            batch: the number of images.
            width: the columns of the images, turned.
            condition: as in `forward`.
            order: as in `forward`; a state knows turned images alone (see `pixelseq.model.orders`).

        Raises:
            ValueError: batch or width is out of range, the images of the condition have another width, or the model
                cannot be told it, or has not learned the order.
        """
        batch, width = whole_number(batch, "batch"), whole_number(width, "width")
        if batch * width >= 2**31:
            raise ValueError(f"{batch} images of `width` {width} are too large; take less than 2**31 columns at once")
        told = self._checked(batch, condition, order).turned(order).to(self.device)
        if told.image_size is not None and told.image_size[1] != width:
            raise ValueError(f"condition images have {told.image_size[1]} columns, turned; the images have {width}")
        encoder, blocks = self.encoder.init_state(batch, width), self.blocks.init_state(batch, width + 1)
        position = torch.zeros(1, dtype=torch.long, device=self.device)
        state = State(width, 0, 0, position, stepped=False, encoder=encoder, blocks=blocks)
        with torch.no_grad():
            state.condition, state.condition_rows = self._told(batch, told, order)
        state.take_condition()
        return state

    def _told(self, batch: int, told: Condition, order: int) -> tuple[Tensor | None, ConditionRows | None]:
        """Gives the condition of a state, [B, 1, F], or what it is in each row; nothing for a model that knows none."""
        if self.conditioning is None:
            return None, None
        everyone = told.without_image().for_images(batch)
        constant = self._constant_features(batch, everyone, torch.full((batch,), order))
        if told.image is not None and told.image_told is not None and told.image_told.any():
            return None, ConditionRows.of(self.conditioning, constant, told.image, told.image_known, told.image_told)
        if self.conditioning.no_image is not None:
            constant = constant + self.conditioning.no_image
        return constant[:, None], None

    @torch.no_grad()
    def step(self, state: State) -> Tensor:
        """Gives the features of the next pixel, from the pixels fed so far, in amortised O(1) work.

        `pixel_log_probs` turns them into the distribution of the pixel's colours; `feed` then takes its values.

        Args:
            state: the state before the pixel; written in place.

        Returns:
            [B, F].

        Raises:
            ValueError: the pixel of the last step has not been fed, or the condition images have no more rows.
        """
        if state.stepped:
            raise ValueError("the pixel of the last step has not been fed; call feed before the next step")
        state.take_condition()
        state.stepped = True
        return self._trunk_step(state)

    @torch.no_grad()
    def pixel_log_probs(self, features: Tensor, earlier: Integers) -> Tensor:
        """Gives the log-probabilities of a pixel's next colour.

        Args:
            features: [B, F], from `step`.
            earlier: [B, c], the levels of the pixel's first c colours, 0 <= c < C.

        Returns:
            [B, V], nats.

        Raises:
            TypeError: the levels are neither a tensor nor an array of integers.
            ValueError: no colour follows the given ones.
        """
        earlier = as_tensor(earlier, "the earlier colours", self.device)
        if earlier.shape[1] >= self.config.pixel_format.channels:
            raise ValueError(f"{earlier.shape[1]} colours are given; a pixel has {self.config.pixel_format.channels}")
        return self.head.channel_log_probs(features, self.pixels(earlier))

    @torch.no_grad()
    def feed(self, state: State, pixel: Integers) -> None:
        """Enters the values of the pixel that `step` was called for, and closes its row after the last column.

        Args:
            state: the state that `step` has left; written in place.
            pixel: [B, C], integer levels of the model (their range is not checked here).

        Raises:
            TypeError: the pixel is neither a tensor nor an array of integers.
            ValueError: the pixel has another shape or type, or there was no step since the last feed.
        """
        pixel = as_tensor(pixel, "the pixel", self.device)
        if not state.stepped:
            raise ValueError("no step has been made since the last feed; call step first")
        if pixel.shape != (state.batch, self.config.pixel_format.channels):
            raise ValueError(
                f"the pixel is {list(pixel.shape)}; expected {[state.batch, self.config.pixel_format.channels]}"
            )
        if pixel.is_floating_point():
            raise ValueError(f"the pixel is {pixel.dtype}; expected integer levels")
        self.enter(state, pixel)
        if state.column == state.width:
            self.end_row(state)

    @torch.no_grad()
    def enter(self, state: State, pixel: Tensor) -> None:
        """Does what `feed` does, without its checks and without closing a row."""
        self.encoder.feed(self.pixels(pixel).flatten(1), state.encoder, state.position)
        state.stepped = False
        state.column += 1
        state.position += 1

    @torch.no_grad()
    def end_row(self, state: State) -> None:
        """Closes a row whose last pixel has been entered."""
        self._trunk_step(state)  # the empty column on the right
        self.encoder.end_row(state.encoder)
        self.blocks.end_row(state.blocks)
        state.row, state.column = state.row + 1, 0
        state.position.zero_()

    def _trunk_step(self, state: State) -> Tensor:
        encoded = self.encoder.step(state.encoder, state.position)
        if state.condition is not None:
            everywhere = state.condition.shape[1] == 1
            told = state.condition if everywhere else state.condition.index_select(1, state.position)
            encoded = encoded + told[:, 0]
        return self.blocks.step(encoded, state.blocks, state.position)

    def check_images(self, images: Tensor) -> None:
        """Raises ValueError where `images` are not levels [B, C, H, W] of this model.

        Only shape and type are checked while a graph is traced or a function vectorised: there are no numbers to look
        at.
        """
        C, V = self.config.pixel_format.channels, self.config.pixel_format.levels
        if images.ndim != 4:
            raise ValueError(f"images are {list(images.shape)}; expected [batch, channels, height, width]")
        if images.shape[1] != C:
            raise ValueError(f"images have {images.shape[1]} channels; the model has {C}")
        if 0 in images.shape:
            raise ValueError(f"images are {list(images.shape)}; every side must be at least 1")
        if images.is_floating_point() or images.is_complex() or images.dtype == torch.bool:
            raise ValueError(f"images are {images.dtype}; expected integer levels 0 to {V - 1}")
        if torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(images):
            return
        low, high = torch.stack(images.long().aminmax()).tolist()  # the device is asked once
        if low < 0 or high >= V:
            raise ValueError(f"images have levels from {low} to {high}; the model has {V} levels, 0 to {V - 1}")

    def save_pretrained(self, folder: str | Path, card: str = "") -> None:
        """Writes a checkpoint folder, whole or not at all: config.json, model.safetensors, README.md.

        Args:
            folder: the folder to make, or to replace if it is a checkpoint.
            card: the text of the model card after its heading.

        Raises:
            ValueError: the folder holds something else.
        """
        checkpoint.save(Path(folder), self.config, self.trained_on, self.state_dict(), card)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        revision: str | None = None,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> PixelRNN:
        """Loads a checkpoint, in evaluation mode.

        Args:
            name: a checkpoint folder, a run's folder, "mnist-binary" (comes with the package; "bundled:mnist-binary"
                where there is such a folder, too), or a model id "owner/name" on the Hugging Face hub.
            revision: the revision of a model on the hub.
            device: the device of the weights.
            dtype: the floating-point type of the weights.

        Raises:
            FileNotFoundError: there is no checkpoint of that name, or a file of it is missing.
            ValueError: a file of the checkpoint does not hold what it should.
        """
        config, trained_on, weights = checkpoint.load(name, revision)
        with torch.device("meta"):  # a configuration that is not the weights' own may ask for any amount of memory
            checkpoint.check_weights(cls(config).state_dict(), weights)
        model = cls(config)
        model.trained_on = trained_on
        model.load_state_dict(weights)
        return model.to(device, dtype).eval()

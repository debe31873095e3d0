"""The parts of a training loop: configuration, gradients, optimizers, stages, stopping, metrics, saved states."""

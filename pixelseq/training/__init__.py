"""What a training loop is made of: configuration, gradients, optimizers, stages, stopping, metrics, saved states."""

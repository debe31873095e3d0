"""The model, with its configuration, state, checkpoints and likelihoods."""

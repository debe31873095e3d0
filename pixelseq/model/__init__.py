"""The model, its configuration, its state, its checkpoints, its likelihoods."""

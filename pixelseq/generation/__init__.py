"""Drawing pixels one after another: samples, streams, completions."""

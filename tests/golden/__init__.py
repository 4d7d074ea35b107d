"""The worked examples in `environments/`: made from their inputs, written or compared."""

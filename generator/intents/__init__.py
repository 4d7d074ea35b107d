"""What a person or the reconciler asks for, as a change set: one function each."""

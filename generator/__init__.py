"""Write the desired state: the only code that knows a byte of the generated repository."""

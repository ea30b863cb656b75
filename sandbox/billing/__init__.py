"""Pure money and time rules: no state, no HTTP."""

"""The tests mirror the tree; journeys, contract and properties stand beside it."""

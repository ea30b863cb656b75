"""Examples of what stands around the gateway: a front end for customers."""

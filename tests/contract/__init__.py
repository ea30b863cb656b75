"""Contract tests: the sandbox against what Stripe's own SDK and recorded traffic say."""

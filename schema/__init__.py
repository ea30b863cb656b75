"""GraphQL types, inputs, errors and pagination: the nouns of the API."""

"""What may be done with money, callable without GraphQL."""

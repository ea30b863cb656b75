"""Invoices: their lines, their totals, and how their money is collected."""

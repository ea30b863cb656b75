"""Payments: the methods that pay, what an intent was asked for, and its way from made to paid."""

"""Stripe's test bank accounts: which debits succeed, and why the others fail."""

from dataclasses import dataclass

# By account number; None is a debit that succeeds. https://docs.stripe.com/payments/ach-direct-debit/accept-a-payment
US_ACCOUNTS: dict[str, str | None] = {
    "000123456789": None,
    "000111111113": "account_closed",
    "000111111116": "no_account",
    "000222222227": "insufficient_funds",
    "000333333335": "debit_not_authorized",
    "000444444440": "invalid_currency",
}
US_ROUTING = "110000000"
# By the name in pm_usBankAccount_<name>.
US_BY_NAME = {
    "success": "000123456789",
    "accountClosed": "000111111113",
    "noAccount": "000111111116",
    "insufficientFunds": "000222222227",
    "debitNotAuthorized": "000333333335",
    "invalidCurrency": "000444444440",
}
# By the last digits of the IBAN, which are the same for every country.
# https://docs.stripe.com/payments/sepa-debit/accept-a-payment
IBAN_ENDS: dict[str, str | None] = {
    "3201": None, "3204": None, "3202": "account_closed", "3205": "account_closed",
    "3000": None, "3003": None, "3001": "account_closed", "3004": "account_closed",
}  # fmt: skip
MESSAGES = {
    "account_closed": "The customer's bank account has been closed.",
    "debit_not_authorized": "The customer has notified their bank that this payment was unauthorized.",
    "insufficient_funds": "The customer's account has insufficient funds to cover this payment.",
    "invalid_currency": "The bank was unable to process this payment because of its currency.",
    "no_account": "The customer's bank account could not be located.",
}
CURRENCIES = {"sepa_debit": "eur", "us_bank_account": "usd"}


@dataclass(frozen=True, slots=True)
class Iban:
    """The parts of an IBAN that Stripe shows."""

    country: str
    bank_code: str
    last4: str
    failure: str | None


def iban(text: str) -> Iban | None:
    """The parts of an IBAN whose check digits are right, or None. ISO 13616: moved and read as a number, 1 mod 97."""
    plain = text.replace(" ", "").upper()
    if not plain.isalnum() or not 15 <= len(plain) <= 34:
        return None
    if int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 != 1:
        return None
    return Iban(plain[:2], plain[4:12], plain[-4:], IBAN_ENDS.get(plain[-4:]))

"""Where a page meets the state: each visit or form is one transaction, as an API request is."""

from collections.abc import Callable
from typing import TypeVar

from sandbox.context import Context
from sandbox.errors import StripeError
from sandbox.http.api import Api, bearer
from sandbox.store import Object, Transaction

Result = TypeVar("Result")


class Desk:
    """Runs the pages' work on the state of an API."""

    def __init__(self, api: Api) -> None:
        self._api = api

    @property
    def platform(self) -> str:
        """The platform's own account, which holds the connected ones."""
        return self._api.config.platform

    def has_key(self, authorization: str) -> bool:
        """Whether an Authorization header bears one of the platform's keys."""
        return bearer(authorization) in self._api.config.api_keys

    def knows(self, account: str) -> bool:
        """Whether there is such an account: only then may it be asked for objects."""
        return account in self._api.store.accounts

    def account_of(self, kind: str, object_id: str) -> str | None:
        """The account that holds the object: a page's address names only the object."""
        return self._api.store.holder(object_id, kind)

    def act(self, account: str, work: Callable[[Context], Result]) -> Result:
        """Do the work and keep it; a refusal undoes it, but for what Stripe keeps of a failed payment."""
        tx = Transaction(self._api.store)
        ctx = Context(tx, self._api.config, account, int(self._api.config.clock()))
        try:
            done = work(ctx)
        except StripeError as refused:
            if refused.keep:
                self._api.commit(tx)
            else:
                tx.rollback()
            raise
        except BaseException:
            tx.rollback()
            raise
        self._api.commit(tx)
        return done

    def business_name(self, account: str) -> str:
        """What the page calls the seller."""
        found: Object = self._api.store.table(self.platform, "account").get(account, {})
        profile = found.get("business_profile") or {}
        dashboard = (found.get("settings") or {}).get("dashboard") or {}
        return str(profile.get("name") or dashboard.get("display_name") or "Sandbox business")

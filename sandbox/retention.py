"""How long events are kept: 30 days, and never more than so many in all."""

from collections import deque

from sandbox.store import Store, Transaction

LIFE = 30 * 24 * 3600


class Events:
    """Every account's events in the order in which they were made."""

    def __init__(self, store: Store, most: int) -> None:
        self._most = most
        found = [
            (event["created"], account, event_id)
            for account, tables in store.accounts.items()
            for event_id, event in tables.get("event", {}).items()
        ]
        self._order = deque(sorted(found, key=lambda entry: entry[0]))

    def trim(self, tx: Transaction, now: int) -> None:
        """Note the transaction's new events and, in the same transaction, take out the oldest ones."""
        self._order.extend((event["created"], account, event["id"]) for account, event in tx.inserted("event"))
        while self._order and (len(self._order) > self._most or self._order[0][0] < now - LIFE):
            _, account, event_id = self._order.popleft()
            if tx.get(account, "event", event_id) is not None:
                tx.delete(account, "event", event_id)

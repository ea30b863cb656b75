"""Signed webhook deliveries: at once after the commit, again on a schedule, and across restarts."""

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import Sequence

import aiohttp
import orjson

from sandbox.config import Config
from sandbox.context import public
from sandbox.log import Log
from sandbox.old_versions import told_in
from sandbox.store import Object, Store, Transaction, copy


def signature(secrets: Sequence[str], body: bytes, at: int) -> str:
    """The Stripe-Signature header: HMAC-SHA256 of "t.body", one v1 for each secret that is valid now.

    The v0 is of no secret that anyone knows; Stripe sends one in test mode, so that nobody takes it for a proof.
    """
    signed = f"{at}.".encode() + body
    digests = [("v1", secret.encode()) for secret in secrets] + [("v0", b"sandbox")]
    made = [f"{scheme}={hmac.new(key, signed, hashlib.sha256).hexdigest()}" for scheme, key in digests]
    return ",".join([f"t={at}", *made])


class Deliverer:
    """A bounded number of senders for each endpoint; the rest waits in that endpoint's queue."""

    def __init__(self, config: Config, store: Store, log: Log) -> None:
        self.delivered = 0
        self.failed = 0
        self._config = config
        self._store = store
        self._log = log
        self._queues: dict[str, deque[Object]] = {}
        self._senders: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def pending(self) -> int:
        return sum(len(tables.get("_delivery", ())) for tables in self._store.accounts.values())

    async def start(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._config.delivery_timeout)
        self._session = aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(limit=0), headers={"User-Agent": "Stripe/1.0"}
        )
        now = self._config.clock()
        for tables in list(self._store.accounts.values()):
            for delivery in list(tables.get("_delivery", {}).values()):
                self._later(delivery, max(0.0, delivery["due"] - now))

    async def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for held in (self._queues, self._senders, self._timers):
            held.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def deliver(self, delivery: Object) -> None:
        """Queue it, now or when it is due; before `start` it stays in the store, and `start` finds it there."""
        if self._session is None:
            return
        wait = delivery["due"] - self._config.clock() if delivery["due"] else 0.0
        if wait > 0:
            self._later(delivery, wait)
            return
        endpoint = delivery["endpoint"]
        self._queues.setdefault(endpoint, deque()).append(delivery)
        if self._senders.get(endpoint, 0) < self._config.deliveries_per_endpoint:
            self._senders[endpoint] = self._senders.get(endpoint, 0) + 1
            task = asyncio.get_running_loop().create_task(self._drain(endpoint))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _later(self, delivery: Object, delay: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers[delivery["id"]] = loop.call_later(delay, self._retry, delivery)

    def _retry(self, delivery: Object) -> None:
        self._timers.pop(delivery["id"], None)
        self.deliver({**delivery, "due": 0})

    async def _drain(self, endpoint: str) -> None:
        queue = self._queues[endpoint]
        try:
            while queue:
                delivery = queue.popleft()
                target = self._store.table(delivery["owner"], "webhook_endpoint").get(endpoint)
                if not self._stands(delivery):
                    continue
                if target is None or self._event(delivery) is None:
                    self._finish(delivery)  # nobody is left to tell, or nothing to say
                elif await self._send(delivery, target):
                    self.delivered += 1
                    self._finish(delivery)
                else:
                    self._missed(delivery)
        finally:
            self._senders[endpoint] -= 1

    async def _send(self, delivery: Object, endpoint: Object) -> bool:
        assert self._session is not None
        event = self._event(delivery)
        assert event is not None
        now = self._config.clock()
        version = endpoint["api_version"] or event["api_version"]
        told = public(event)
        if version != event["api_version"]:
            told = copy(told)
            told |= {
                "api_version": version,
                "data": told["data"] | {"object": told_in(version, told["data"]["object"])},
            }
        body = orjson.dumps(told)
        old = [each["secret"] for each in endpoint.get("_old_secrets", ()) if each["until"] > now]
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature([endpoint["_secret"], *old], body, int(now)),
        }
        try:
            url = endpoint["url"]
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _event(self, delivery: Object) -> Object | None:
        return self._store.table(delivery["account"], "event").get(delivery["event"])

    def _stands(self, delivery: Object) -> bool:
        """Whether it is still to be sent: disabling or deleting its endpoint takes it out of the store."""
        return delivery["id"] in self._store.table(delivery["account"], "_delivery")

    def _missed(self, delivery: Object) -> None:
        if not self._stands(delivery):
            return
        tries = delivery["attempts"]
        if tries >= len(self._config.retry_schedule):
            self.failed += 1
            self._finish(delivery, failed=True)
            return
        delay = self._config.retry_schedule[tries]
        tx = Transaction(self._store)
        draft = tx.edit(delivery["account"], "_delivery", delivery["id"])
        draft |= {"attempts": tries + 1, "due": self._config.clock() + delay}
        self._save(tx)
        self._later(draft, delay)

    def _finish(self, delivery: Object, failed: bool = False) -> None:
        if not self._stands(delivery):
            return
        tx = Transaction(self._store)
        if failed and self._event(delivery) is not None:
            tx.edit(delivery["account"], "event", delivery["event"])["_failed"] += 1
        tx.delete(delivery["account"], "_delivery", delivery["id"])
        self._save(tx)

    def _save(self, tx: Transaction) -> None:
        record = tx.commit()
        if record is not None:
            self._log.append(record)

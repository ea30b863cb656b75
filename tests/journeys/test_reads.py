"""Every read is answered whole from the mirror, by a process that has just started, without a request at Stripe."""

from collections.abc import Iterator

import httpx
import pytest

from tenants.context import Role
from tests.support.demo import Demo
from tests.support.documents import Covered, answered, reachable, reads
from tests.support.drift import reconciled, untold_customer
from tests.support.owner import Owner, new_owner
from tests.support.quiet import restart_gateway, worker_held

pytestmark = pytest.mark.slow


@pytest.fixture
def owner(demo: Demo) -> Owner:
    untold_customer(demo)
    reconciled(demo)  # so that a difference is there to be read
    return new_owner(demo)


@pytest.fixture
def cold(demo: Demo, owner: Owner) -> Iterator[Demo]:
    with worker_held(demo):
        restart_gateway(demo)
        yield demo


def read_everything(demo: Demo, token: str, owner: Owner, role: Role) -> Covered:
    """Send all documents; returns the fields that were answered."""
    covered: Covered = set()
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        for document in reads(owner.ids, role=role):
            answer = client.post(demo.told["graphql"], json={"query": document})
            body = answer.json()
            assert answer.status_code == 200, (document, body)
            assert "errors" not in body, (document, body)
            covered |= answered(body["data"])
    return covered


def test_every_field_is_read_without_a_request_at_stripe(cold: Demo, owner: Owner) -> None:
    tenant = cold.tenant()
    before = cold.stripe_requests()
    covered: Covered = set()
    roles = {Role.PARTNER: tenant["partner_key"], Role.ADMIN: tenant["admin_key"], Role.CUSTOMER: owner.token}
    for role, token in roles.items():
        covered |= read_everything(cold, token, owner, role)
    assert cold.stripe_requests() == before
    wanted = reachable()
    assert wanted - covered == set()
    types = {type_ for type_, _ in covered}
    print(f"{len(covered)} fields of {len(types)} types, by {len(list(reads(owner.ids)))} documents")


def test_the_count_of_requests_at_stripe_tells_a_call(demo: Demo, owner: Owner) -> None:
    with worker_held(demo):
        before = demo.stripe_requests()
        demo.stripe("GET", f"/v1/customers/{owner.stripe_id('Customer')}", demo.tenant()["account"])
        assert demo.stripe_requests() == before + 1

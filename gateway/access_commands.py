"""The commands for what stands around keys: the audit log, identity providers, trusted documents."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from graphql import GraphQLSyntaxError, build_schema, validate

from compliance import chain
from gateway.document_limits import DocumentRefusedError, Documents
from gateway.operating import Desk, at_desk, find_tenant, operator
from gateway.user_error import UserError
from gateway.wire import hash_of
from tenants import registry
from tenants.providers import ALGORITHMS
from tenants.safe_fetch import UnsafeAddressError, check_address


@click.group()
def audit() -> None:
    """The audit log: what was done, and whether it is as it was written."""


@audit.command("verify")
@click.option(
    "--anchors",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file of GATEWAY_AUDIT_ANCHORS, best as another machine has kept it.",
)
def verify(anchors: Path | None) -> None:
    """Compare every entry with the chain, and the chain with its anchors; ends with 1 where anything was changed."""
    try:
        known = chain.read_anchors(anchors.read_text("utf-8")) if anchors else []
    except ValueError as error:
        raise UserError(f"{anchors}: {error}") from None
    found = at_desk(lambda desk: chain.verify(desk.database, known))
    for finding in found:
        click.echo(str(finding))
    if found:
        sys.exit(1)
    click.echo(f"the audit log is as it was written ({len(known)} anchors)")


@audit.command("list")
@click.argument("tenant", required=False)
@click.option("--platform", is_flag=True, help="What was done with the platform's keys.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
def list_entries(tenant: str | None, *, platform: bool, limit: int) -> None:
    """A tenant's latest entries, the newest first: when, who, what, on which object, with what outcome and request."""
    if (tenant is None) is not platform:
        raise click.UsageError("name a tenant, or --platform")

    async def work(desk: Desk) -> list[dict[str, Any]]:
        if tenant is None:
            return await desk.database.system.execute_query_dict(
                "select at, actor, action, target from platform_entries order by id desc limit $1", [limit]
            )
        owner = await find_tenant(desk.database, tenant, closed=True)
        return await desk.database.system.execute_query_dict(
            "select at, actor, action, target, outcome, request_id from audit_entries where tenant_id = $1"
            " order by id desc limit $2",
            [owner.id, limit],
        )

    for row in at_desk(work):
        click.echo("\t".join("-" if value is None else str(value) for value in row.values()))


@click.group()
def providers() -> None:
    """Tenants' own identity providers, whose tokens customers may bring."""


@providers.command("add")
@click.argument("tenant")
@click.option("--issuer", required=True, help="The `iss` of its tokens, to the letter.")
@click.option("--jwks-url", required=True, help="Where its public keys are, over https.")
@click.option("--claim", default="sub", show_default=True, help="The claim that holds the customer's external id.")
@click.option("--algorithm", "algorithms", multiple=True, type=click.Choice(ALGORITHMS), default=("RS256", "ES256"))
def add_provider(tenant: str, issuer: str, jwks_url: str, claim: str, algorithms: tuple[str, ...]) -> None:
    """Register a provider, and print the audience that its tokens for this tenant must name."""

    async def work(desk: Desk) -> str:
        try:
            check_address(jwks_url, private=desk.settings.gateway_private_providers)
        except UnsafeAddressError as error:
            raise UserError(f"--jwks-url: {error}") from None
        owner = await find_tenant(desk.database, tenant)
        return await registry.add_provider(
            desk.database,
            owner,
            issuer=issuer,
            jwks_url=jwks_url,
            claim=claim,
            algorithms=algorithms,
            by=operator(),
        )

    click.echo(at_desk(work))


@providers.command("list")
@click.argument("tenant")
def list_providers(tenant: str) -> None:
    """A tenant's providers: audience, issuer, keys, claim."""

    async def work(desk: Desk) -> list[str]:
        owner = await find_tenant(desk.database, tenant)
        rows = await desk.database.system.execute_query_dict(
            "select audience, issuer, jwks_url, claim from identity_providers where tenant_id = $1 order by id",
            [owner.id],
        )
        return ["\t".join(row.values()) for row in rows]

    for line in at_desk(work):
        click.echo(line)


@providers.command("remove")
@click.argument("tenant")
@click.argument("audience")
def remove_provider(tenant: str, audience: str) -> None:
    """Forget a provider: its tokens are refused from now on."""

    async def work(desk: Desk) -> bool:
        owner = await find_tenant(desk.database, tenant)
        return await registry.remove_provider(desk.database, owner.id, audience, by=operator())

    if not at_desk(work):
        raise UserError(f"{tenant} has no provider with the audience {audience}")


@click.group()
def documents() -> None:
    """Documents that a tenant's front ends may send by their hash alone."""


@documents.command("trust")
@click.argument("tenant")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def trust(tenant: str, files: tuple[Path, ...]) -> None:
    """Register files with one document each, and print their hashes; none where one of them is wrong.

    Each is held against the whole schema and the limits of documents, as the endpoint would.
    """
    texts = {file: _text(file) for file in files}
    found = {hash_of(text): (file.stem, text) for file, text in texts.items()}

    async def work(desk: Desk) -> None:
        owner = await find_tenant(desk.database, tenant)
        _check(texts, Documents(desk.settings.document_limits()))
        await registry.trust_documents(desk.database, owner.id, found, by=operator())

    at_desk(work)
    for hash_, (name, _) in found.items():
        click.echo(f"{hash_}\t{name}")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: can't be read as UTF-8 text ({type(error).__name__})") from None


def _check(texts: Mapping[Path, str], reader: Documents) -> None:
    """Raises UserError, which names every file that is wrong and its first error."""
    from gateway import graphql  # slow to import, and no other command of this module needs it

    schema, wrong = build_schema(graphql.build().as_str()), []
    for file, text in texts.items():
        try:
            document = reader.read(text)
            errors = [error.message for error in validate(schema, document.node, max_errors=1)]
            if not document.operations:
                errors.append("it holds no operation")
        except (DocumentRefusedError, GraphQLSyntaxError) as error:
            errors = [str(getattr(error, "message", error))]
        wrong += [f"{file}: {error}" for error in errors[:1]]
    if wrong:
        raise UserError(f"no document was registered: {'; '.join(wrong)}")


@documents.command("list")
@click.argument("tenant")
def list_documents(tenant: str) -> None:
    """A tenant's documents: hash and name."""

    async def work(desk: Desk) -> list[str]:
        owner = await find_tenant(desk.database, tenant)
        rows = await desk.database.system.execute_query_dict(
            "select hash, name from trusted_documents where tenant_id = $1 order by name, hash", [owner.id]
        )
        return [f"{row['hash']}\t{row['name']}" for row in rows]

    for line in at_desk(work):
        click.echo(line)


@documents.command("forget")
@click.argument("tenant")
@click.argument("document_hash")
def forget(tenant: str, document_hash: str) -> None:
    """Take a document out of the list."""

    async def work(desk: Desk) -> bool:
        owner = await find_tenant(desk.database, tenant)
        return await registry.forget_document(desk.database, owner.id, document_hash, by=operator())

    if not at_desk(work):
        raise UserError(f"{tenant} has no document {document_hash}")

"""The tables of tenants, their keys, and what was done in their name."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from tenants.context import DEFAULT_FEATURES, TenantInfo


class Tenant(Model):
    """One institution: one connected account at Stripe."""

    id = fields.BigIntField(primary_key=True)
    slug = fields.TextField()
    name = fields.TextField()
    industry = fields.TextField()
    mcc = fields.TextField()
    country = fields.TextField()
    default_currency = fields.TextField()
    account_id = fields.TextField(null=True)
    livemode = fields.BooleanField()
    status = fields.TextField(default="pending")
    features = ArrayField(element_type="text", default=lambda: [feature.value for feature in DEFAULT_FEATURES])
    cors_origins = ArrayField(element_type="text", default=list)
    sessions_from = fields.DatetimeField(null=True)
    trusted_only = fields.BooleanField(default=False)
    created = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "tenants"

    def info(self) -> TenantInfo:
        """The tenant as requests carry it."""
        return TenantInfo(
            id=self.id,
            slug=self.slug,
            name=self.name,
            industry=self.industry,
            account=self.account_id,
            livemode=self.livemode,
            status=self.status,
            default_currency=self.default_currency,
            features=frozenset(self.features),
            cors_origins=frozenset(self.cors_origins),
            sessions_from=self.sessions_from,
            trusted_only=self.trusted_only,
        )


class ApiToken(Model):
    """An API key of a tenant: of its secret there is only the hash."""

    id = fields.BigIntField(primary_key=True)
    tenant_id = fields.BigIntField()
    public_id = fields.TextField()
    secret_hash = fields.BinaryField()
    name = fields.TextField()
    role = fields.TextField()
    scopes = ArrayField(element_type="text")
    livemode = fields.BooleanField()
    created = fields.DatetimeField(auto_now_add=True)
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    replaced_by = fields.TextField(null=True)

    class Meta:
        table = "api_tokens"


class PlatformToken(Model):
    """A key of the platform's own administrators; no tenant's client can see this table."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.TextField()
    secret_hash = fields.BinaryField()
    name = fields.TextField()
    livemode = fields.BooleanField()
    created = fields.DatetimeField(auto_now_add=True)
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    replaced_by = fields.TextField(null=True)

    class Meta:
        table = "platform_tokens"


class AuditEntry(Model):
    """Who did what, and what came of it."""

    id = fields.BigIntField(primary_key=True)
    tenant_id = fields.BigIntField()
    at = fields.DatetimeField()
    actor = fields.TextField()
    action = fields.TextField()
    target = fields.TextField(null=True)
    outcome = fields.TextField()
    request_id = fields.TextField(null=True)
    operation_id = fields.UUIDField(null=True)

    class Meta:
        table = "audit_entries"

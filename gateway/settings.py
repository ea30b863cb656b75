"""Every setting of the gateway, read from the environment in this place only."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.document_limits import DocumentLimits
from gateway.user_error import UserError
from storage.buckets import Rate
from storage.database import APP_ROLE, SYSTEM_ROLE, DatabaseUrl, InvalidDatabaseUrlError

LIVE_KEYS = ("sk_live_", "rk_live_")
TEST_KEYS = ("sk_test_", "rk_test_")
_SECRET = SecretStr("")
Port = Annotated[int, Field(ge=1, le=65535)]
Pool = Annotated[int, Field(ge=1, le=200)]


class SettingsError(UserError):
    """A setting is missing or wrong: one line for a person, without any secret."""


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """Values from the environment; an empty variable counts as unset. Secrets never show in `repr` or in errors."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    database_url: SecretStr = _SECRET
    """PostgreSQL, as `postgresql://user:password@host:port/database?sslmode=…`. `gateway migrate` logs in as this
    user, who owns the database and may create roles; the other commands take only host and database from it, unless
    their role's password is unset."""
    gateway_app_password: SecretStr = _SECRET
    """Password of the role `gateway_app`, which row-level security binds to one tenant; `gateway migrate` sets it."""
    gateway_system_password: SecretStr = _SECRET
    """Password of the role `gateway_system`, which sees every tenant; `gateway migrate` sets it."""
    gateway_app_pool: Pool = 10
    """Most connections that one process holds as `gateway_app`."""
    gateway_system_pool: Pool = 10
    """Most connections that one process holds as `gateway_system`."""
    redis_url: SecretStr = _SECRET
    """Redis that holds the buckets of cost for all machines together, as `redis://host:port/0`. Unset: each process
    counts for itself."""
    stripe_api_key: SecretStr = _SECRET
    """The platform's secret or restricted key: `sk_test_…`, `rk_test_…`, `sk_live_…` or `rk_live_…`."""
    stripe_api_base: str = ""
    """Address of a stand-in for Stripe's API, such as the sandbox. Unset: Stripe itself. Refused with a live key."""
    stripe_webhook_secrets: SecretStr = _SECRET
    """Signing secrets `whsec_…` of the webhook endpoints, separated by commas: the Connect endpoint's, the platform
    endpoint's, and the old ones while a secret is rolled."""
    stripe_timeout: Annotated[float, Field(gt=0, le=80)] = 20.0
    """Seconds that one request to Stripe may take."""
    stripe_background_rate: Annotated[float, Field(gt=0, le=100)] = 20.0
    """Most requests a second that one process makes for one account while nobody waits: re-reads, backfill, reconcile.
    Stripe allows 100 for an account in live mode, 25 for one endpoint and in test mode."""
    event_retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Days for which the payload of a settled event is kept: it holds personal data. Its outcome stays."""
    graphql_body_limit: Annotated[int, Field(ge=1_000, le=10_000_000)] = 262_144
    """Most bytes of one GraphQL request's body."""
    graphql_batch_limit: Annotated[int, Field(ge=1, le=100)] = 10
    """Most operations in one batch."""
    graphql_document_size: Annotated[int, Field(ge=1_000, le=1_000_000)] = 65_536
    """Most bytes of one GraphQL document."""
    graphql_document_tokens: Annotated[int, Field(ge=100, le=100_000)] = 4_000
    """Most tokens of one document."""
    graphql_depth: Annotated[int, Field(ge=5, le=50)] = 16
    """Most levels of fields in one operation."""
    graphql_aliases: Annotated[int, Field(ge=1, le=1_000)] = 60
    """Most aliases in one operation."""
    graphql_root_fields: Annotated[int, Field(ge=1, le=500)] = 30
    """Most fields at the root of one operation."""
    graphql_fields: Annotated[int, Field(ge=100, le=10_000)] = 1_000
    """Most fields in one operation, those of fragments counted at each place."""
    graphql_directives: Annotated[int, Field(ge=1, le=1_000)] = 40
    """Most directives in one operation."""
    graphql_introspection_most: Annotated[int, Field(ge=1, le=10_000_000)] = 300_000
    """Most that one operation may ask of the schema about itself; the customary question has about 130,000."""
    graphql_timeout: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Seconds that one query may take. A mutation is bounded by its requests to Stripe instead."""
    graphql_cost_most: Annotated[int, Field(ge=10, le=1_000_000)] = 10_000
    """Most points that one operation may cost, by its bound: a point is an object in the answer."""
    graphql_token_points: Annotated[int, Field(ge=10, le=10_000_000)] = 50_000
    """Points that the bucket of one token (or of one customer) holds."""
    graphql_token_restore: Annotated[float, Field(gt=0, le=1_000_000)] = 2_500.0
    """Points that it gains a second."""
    graphql_tenant_points: Annotated[int, Field(ge=10, le=100_000_000)] = 500_000
    """Points that the bucket of one tenant holds."""
    graphql_tenant_restore: Annotated[float, Field(gt=0, le=10_000_000)] = 25_000.0
    """Points that it gains a second."""
    graphql_live_per_token: Annotated[int, Field(ge=1, le=1_000)] = 20
    """Most live operations of one token (or of one customer), in one process."""
    graphql_live_per_tenant: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """Most live operations of one tenant, in one process."""
    graphql_sockets_per_token: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Most WebSockets of one token (or of one customer), in one process, busy or not."""
    graphql_sockets_per_tenant: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    """Most WebSockets of one tenant, in one process."""
    graphql_sockets_waiting: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Most WebSockets of one address that have not begun yet with `connection_init`, in one process."""
    graphql_init_timeout: Annotated[float, Field(gt=0, le=60)] = 3.0
    """Seconds in which a WebSocket must begin with `connection_init`."""
    gateway_private_providers: bool = False
    """For tests only: lets identity providers be at private addresses and over plain http. Refused with a live key."""
    gateway_audit_anchors: str = ""
    """A file to which the worker appends the heads of the audit chains every minute; keep it on another machine's
    disk. Each head is logged as well (`audit.anchor`)."""
    gateway_session_key: SecretStr = _SECRET
    """Ed25519 private key that signs customers' session tokens, as PEM or as JWK. Several keys, the newest first, as
    PEM blocks one after another or as `{"keys": […]}`: the first signs, all verify."""
    gateway_public_url: str = ""
    """Address at which others reach the gateway. Unset: made of host and port."""
    gateway_host: str = "127.0.0.1"
    """Address that gateway and sidecar listen on."""
    gateway_port: Port = 8000
    """Port of the gateway (GraphQL)."""
    gateway_sidecar_port: Port = 8001
    """Port of the sidecar (Stripe's webhooks)."""
    gateway_log_level: LogLevel = LogLevel.INFO
    """Least severity that is logged: `debug`, `info`, `warning` or `error`."""
    gateway_log_format: LogFormat = LogFormat.JSON
    """How log lines look: `json` for machines, `console` for people."""
    gateway_failpoints: str = ""
    """For tests of crashes only: a folder; a file in it named like a failpoint kills the process that passes there.
    Refused with a live key."""
    gateway_supervised: bool = False
    """Set by `gateway run` for the processes it starts: they end when their standard input does."""

    @classmethod
    def load(cls, *required: str) -> Self:
        """Read the environment; `required` are names of fields that must be set. Raises SettingsError."""
        try:
            settings = cls()
        except ValidationError as error:
            raise SettingsError("; ".join(_complaint(each) for each in error.errors())) from None
        missing = [name.upper() for name in required if not _text(getattr(settings, name))]
        if missing:
            raise SettingsError(f"{', '.join(missing)} must be set (docs/settings.md says to what)")
        return settings

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """The settings that a process with these variables in its environment would have."""
        return cls(**{name.lower(): value for name, value in values.items()})  # type: ignore[arg-type]  # as text

    @field_validator("database_url")
    @classmethod
    def _database_url_can_be_read(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            try:
                DatabaseUrl.parse(value.get_secret_value())
            except InvalidDatabaseUrlError:
                raise
            except ValueError:  # its text may quote a piece of the password
                raise ValueError(
                    "can't be read as a URL (are special characters in the password percent-encoded?)"
                ) from None
        return value

    @field_validator("stripe_api_key")
    @classmethod
    def _key_is_of_a_known_kind(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value()
        if key and not key.startswith(LIVE_KEYS + TEST_KEYS):
            raise ValueError(f"must begin with {', '.join(TEST_KEYS)} or {', '.join(LIVE_KEYS)}")
        return value

    @field_validator("stripe_api_base", "gateway_public_url")
    @classmethod
    def _address_is_of_the_web(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username):
            raise ValueError("must be an address that begins with http:// or https://, without a user")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _live_key_never_meets_a_stand_in(self) -> Self:
        if self.livemode and self.stripe_api_base:
            raise ValueError(
                "STRIPE_API_KEY is a live key and STRIPE_API_BASE is set: a live key is only ever sent to Stripe "
                "itself. Unset STRIPE_API_BASE, or use a test key"
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_killed_while_money_moves(self) -> Self:
        if self.livemode and self.gateway_failpoints:
            raise ValueError("GATEWAY_FAILPOINTS is for tests and refused with a live key")
        return self

    @model_validator(mode="after")
    def _providers_are_public_while_money_moves(self) -> Self:
        if self.livemode and self.gateway_private_providers:
            raise ValueError("GATEWAY_PRIVATE_PROVIDERS is for tests and refused with a live key")
        return self

    @property
    def livemode(self) -> bool:
        """Whether real money moves."""
        return self.stripe_api_key.get_secret_value().startswith(LIVE_KEYS)

    @property
    def public_url(self) -> str:
        """Where others reach the gateway, without a slash at the end."""
        return self.gateway_public_url or f"http://{self.gateway_host}:{self.gateway_port}"

    def document_limits(self) -> DocumentLimits:
        """What one GraphQL document may hold."""
        return DocumentLimits(
            size=self.graphql_document_size,
            tokens=self.graphql_document_tokens,
            depth=self.graphql_depth,
            aliases=self.graphql_aliases,
            root_fields=self.graphql_root_fields,
            fields=self.graphql_fields,
            directives=self.graphql_directives,
        )

    def token_rate(self) -> Rate:
        """The bucket of one token."""
        return Rate(self.graphql_token_points, self.graphql_token_restore)

    def tenant_rate(self) -> Rate:
        """The bucket of one tenant."""
        return Rate(self.graphql_tenant_points, self.graphql_tenant_restore)

    def stripe_description(self) -> str:
        """Which Stripe this process talks to, for people."""
        if self.stripe_api_base:
            return f"sandbox at {self.stripe_api_base}"
        return "Stripe LIVE mode" if self.livemode else "Stripe test mode"

    def webhook_secrets(self) -> tuple[str, ...]:
        """The signing secrets that a webhook may be signed with."""
        parts = self.stripe_webhook_secrets.get_secret_value().split(",")
        return tuple(part.strip() for part in parts if part.strip())

    def owner_url(self) -> DatabaseUrl:
        """The database as its owner: for migrations only."""
        return DatabaseUrl.parse(self.database_url.get_secret_value())

    def app_url(self) -> DatabaseUrl:
        """The database as the application's role."""
        return self.owner_url().as_role(APP_ROLE, _text(self.gateway_app_password))

    def system_url(self) -> DatabaseUrl:
        """The database as the system's role."""
        return self.owner_url().as_role(SYSTEM_ROLE, _text(self.gateway_system_password))


def environment_for(child: Mapping[str, str]) -> dict[str, str]:
    """Our own environment for a process that we start, with these settings in it instead of ours."""
    return {**os.environ, **child}


def _text(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _complaint(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    name = ".".join(str(part) for part in error["loc"]).upper()
    return f"{name}: {message}" if name else message

"""A caller's own schema: what its role, its scopes and the tenant's features hide is not there at all."""

import copy
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql import GraphQLSchema
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from gateway.graphql import GatewaySchema, Live, Mutation, Query, declared, schema_of
from schema.access import READERS, Access, access_of
from tenants.context import Caller, Feature, Role, Scope


@dataclass(frozen=True, slots=True)
class Signature:
    """All that decides what a caller's schema holds."""

    role: Role
    scopes: frozenset[Scope]
    features: frozenset[str]

    @classmethod
    def of(cls, caller: Caller) -> "Signature":
        return cls(caller.role, caller.scopes, caller.tenant.features & frozenset(Feature))

    def sees(self, access: Access) -> bool:
        return access.allows(self.role, self.scopes, self.features)


class SignatureSchema(GatewaySchema):
    """The schema with the fields, arguments and inputs that one signature sees, and the types that these reach."""

    def __init__(self, *args: Any, signature: Signature, **kwargs: Any) -> None:
        self._signature = signature
        super().__init__(*args, **kwargs)

    @property
    def core(self) -> GraphQLSchema:
        """The schema as graphql-core has it."""
        return self._schema

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Copies of the visible fields: building a schema changes them, and several schemas share the declarations."""
        found = []
        for each in type_definition.fields:
            if self._signature.sees(access_of(each)):
                fresh = copy.copy(each)
                if fresh.base_resolver is None:
                    fresh._arguments = None  # noqa: SLF001 (strawberry has no other way to copy a field)
                found.append(fresh)
        return found


@dataclass(slots=True)
class Schemas:
    """The schemas in use, built once for each set of visible fields and kept within a bound."""

    kept: int = 64
    _built: "OrderedDict[frozenset[Access], SignatureSchema]" = field(default_factory=OrderedDict)

    def of(self, signature: Signature) -> SignatureSchema:
        """Two signatures that see the same share one schema."""
        seen = _seen(signature)
        found = self._built.get(seen)
        if found is None:
            found = self._built[seen] = build(signature)
            if len(self._built) > self.kept:
                self._built.popitem(last=False)
        self._built.move_to_end(seen)
        return found


@lru_cache(maxsize=1_000)
def _seen(signature: Signature) -> frozenset[Access]:
    return frozenset(access for access in declared() if signature.sees(access))


def build(signature: Signature) -> SignatureSchema:
    """The schema of a signature; a root type of which nothing is visible is left out."""

    def root(type_: Any) -> Any:
        fields = type_.__strawberry_definition__.fields
        return type_ if any(signature.sees(access_of(each)) for each in fields) else None

    made: SignatureSchema = schema_of(
        SignatureSchema, Query, root(Mutation), root(Live), nouns=signature.sees(READERS), signature=signature
    )
    return made

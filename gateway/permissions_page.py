"""Writes docs/permissions.md from the declarations: `python -m gateway.permissions_page > docs/permissions.md`."""

from typing import Any

from gateway.graphql import Live, Mutation, Query
from schema.access import Access, access_of
from tenants.context import DEFAULT_FEATURES, ROLE_SCOPES, Feature, Role

_HEAD = """# Who may do what

Written by `python -m gateway.permissions_page > docs/permissions.md`, from the declarations beside the resolvers. A
field that a token may not use is not in its schema: not in the SDL, not in introspection, not in an error. The columns
show each role with all the scopes that it can have; a key can have fewer. `own`: for the token's own customer alone.

"""
_FEATURES = {
    Feature.CHECKOUT: "Checkout pages",
    Feature.PORTAL: "the billing portal",
    Feature.PROMOTION_CODES: "coupons and promotion codes",
    Feature.CUSTOMER_CHANGES: "customers change and cancel their subscriptions themselves",
}


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, root in (("Reads", Query), ("Mutations", Mutation), ("Live", Live)):
        parts.append(_table(title, root))
    parts.append("## Features of a tenant\n\n| feature | what it is | on for new tenants |\n| --- | --- | --- |\n")
    for feature, text in _FEATURES.items():
        parts.append(f"| `{feature}` | {text} | {'yes' if feature in DEFAULT_FEATURES else 'no'} |\n")
    return "".join(parts)


def _table(title: str, root: Any) -> str:
    lines = [
        f"## {title}\n\n| field | scope | feature | {' | '.join(Role)} |\n| --- | --- | --- |{' --- |' * len(Role)}\n"
    ]
    for each in sorted(root.__strawberry_definition__.fields, key=lambda one: one.python_name):
        declared = access_of(each)
        name = each.graphql_name or _camel(each.python_name)
        scope = f"`{declared.scope}`" if declared.scope else "any"
        feature = f"`{declared.feature}`" if declared.feature else ""
        cells = " | ".join(_cell(declared, role) for role in Role)
        lines.append(f"| `{name}` | {scope} | {feature} | {cells} |\n")
    return "".join([*lines, "\n"])


def _cell(declared: Access, role: Role) -> str:
    every = frozenset(feature.value for feature in Feature)
    if not declared.allows(role, ROLE_SCOPES[role], every):
        return ""
    if role is Role.CUSTOMER:
        return f"own, with `{declared.own_feature}`" if declared.own_feature else "own"
    return "yes"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


if __name__ == "__main__":
    print(page(), end="")

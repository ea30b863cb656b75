-- Who may ask, beyond keys: rotation, revoked sessions, identity providers, origins, trusted documents; the audit chain.

alter table api_tokens add column last_used_at timestamptz, add column replaced_by text;
alter table platform_tokens add column last_used_at timestamptz;
alter table tenants
    add column cors_origins text[] not null default '{}',
    add column sessions_from timestamptz,
    add column trusted_only boolean not null default false;
-- What every tenant had before there were switches.
update tenants set features = (
    select coalesce(array_agg(distinct f order by f), '{}')
        from unnest(features || array['checkout', 'portal', 'promotion_codes']) as f
);

-- Session tokens of a customer that were issued before this moment are void.
create table session_revocations (
    tenant_id bigint not null references tenants (id),
    customer_id text not null,
    valid_from timestamptz not null,
    primary key (tenant_id, customer_id)
);

-- A tenant's own identity provider. The audience is a value that the gateway gave to the tenant, so that a token of the
-- same issuer for somebody else is never taken.
create table identity_providers (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    issuer text not null,
    audience text not null unique,
    jwks_url text not null,
    claim text not null default 'sub',
    algorithms text[] not null,
    created timestamptz not null default now(),
    primary key (tenant_id, id)
);

-- Documents that a tenant's front ends may send by their hash alone.
create table trusted_documents (
    tenant_id bigint not null references tenants (id),
    hash text not null check (hash ~ '^[0-9a-f]{64}$'),
    name text not null,
    document text not null,
    created timestamptz not null default now(),
    primary key (tenant_id, hash)
);

-- The audit log's chain: each entry's hash covers the entry and the hash before it. Written by the worker, in commit order.
create table audit_chain (
    tenant_id bigint not null references tenants (id),
    seq bigint not null,
    entry_id bigint not null,
    hash bytea not null,
    sealed timestamptz not null default clock_timestamp(),
    primary key (tenant_id, seq),
    unique (tenant_id, entry_id)
);

do $$
declare
    t text;
begin
    foreach t in array array['session_revocations', 'identity_providers', 'trusted_documents', 'audit_chain'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy system on %I to gateway_system using (true) with check (true)', t);
        execute format('create policy owner on %I to current_user using (true) with check (true)', t);
        execute format('create policy app on %I to gateway_app
                        using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::bigint)
                        with check (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::bigint)', t);
        execute format('grant select on %I to gateway_app', t);
        execute format('grant select, insert, update, delete on %I to gateway_system', t);
    end loop;
end $$;
revoke update, delete on audit_chain from gateway_system;
grant usage on all sequences in schema public to gateway_app, gateway_system;

-- A browser asks before it sends a token, so the question can only be whether anybody has registered the origin.
create function origin_registered(wanted text) returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
    select exists (select 1 from tenants where wanted = any (cors_origins))
$$;

-- Whose token is it? Before the signature is checked nothing but these two names is known.
create function provider_by(wanted_issuer text, wanted_audiences text[])
returns table (tenant_id bigint, issuer text, audience text, jwks_url text, claim text, algorithms text[])
language sql stable security definer set search_path = public, pg_temp as $$
    select p.tenant_id, p.issuer, p.audience, p.jwks_url, p.claim, p.algorithms from identity_providers p
        where p.issuer = wanted_issuer and p.audience = any (wanted_audiences)
$$;
revoke all on function origin_registered(text), provider_by(text, text[]) from public;
grant execute on function origin_registered(text), provider_by(text, text[]) to gateway_app, gateway_system;

-- Entries that wait for their place in the chain: whoever writes one commits it together with the wish.
create table audit_unsealed (
    tenant_id bigint not null references tenants (id),
    entry_id bigint not null,
    primary key (tenant_id, entry_id)
);
alter table audit_unsealed enable row level security;
alter table audit_unsealed force row level security;
create policy system on audit_unsealed to gateway_system using (true) with check (true);
create policy owner on audit_unsealed to current_user using (true) with check (true);
create policy app on audit_unsealed to gateway_app
    using (tenant_id = nullif(current_setting('app.tenant', true), '')::bigint)
    with check (tenant_id = nullif(current_setting('app.tenant', true), '')::bigint);
grant select on audit_unsealed to gateway_app;
grant select, insert, delete on audit_unsealed to gateway_system;
insert into audit_unsealed (tenant_id, entry_id) select tenant_id, id from audit_entries;
create function audit_wants_its_seal() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into audit_unsealed (tenant_id, entry_id) values (new.tenant_id, new.id);
    return null;
end $$;
create trigger audit_wants_its_seal after insert on audit_entries for each row execute function audit_wants_its_seal();

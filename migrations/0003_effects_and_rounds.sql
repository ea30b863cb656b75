-- Effects of transitions, each once; rounds of checks and of clearing up; payloads that are no longer kept.

-- What must follow from an object's coming to a state, told apart by the occasion: a subscription may be past due again
-- for another invoice. Whoever sees the transition first asks for its effect, and whoever comes later finds it asked for.
create table effects (
    tenant_id bigint not null references tenants (id),
    livemode boolean not null,
    object_type text not null,
    stripe_id text not null,
    transition text not null,
    occasion text not null default '',
    customer_id text,
    at timestamptz not null default clock_timestamp(),
    state text not null default 'waiting' check (state in ('waiting', 'done', 'dead')),
    attempts integer not null default 0,
    due timestamptz not null default clock_timestamp(),
    error text,
    finished timestamptz,
    primary key (tenant_id, livemode, object_type, stripe_id, transition, occasion)
);
create index effects_due on effects (due) where state = 'waiting';
create index effects_dead on effects (tenant_id) where state = 'dead';

alter table effects enable row level security;
alter table effects force row level security;
create policy system on effects to gateway_system using (true) with check (true);
create policy owner on effects to current_user using (true) with check (true);
create policy app on effects to gateway_app
    using (tenant_id = nullif(current_setting('app.tenant', true), '')::bigint)
    with check (tenant_id = nullif(current_setting('app.tenant', true), '')::bigint);
grant select, insert, update, delete on effects to gateway_system;
grant select, insert, update on effects to gateway_app;

-- When a round was last made, by whichever process, and what it found.
create table rounds (
    name text primary key,
    begun timestamptz not null,
    result json
);
alter table rounds enable row level security;
alter table rounds force row level security;
create policy system on rounds to gateway_system using (true) with check (true);
create policy owner on rounds to current_user using (true) with check (true);
grant select, insert, update, delete on rounds to gateway_system;

-- What the checks read: only what changed since the last round.
create index changes_at on changes using brin (at);
create index operations_started on operations (lease_until) where state = 'started';

-- A payload whose time is over is empty: such an event can't be worked on again.
create or replace function inbox_of_new_account() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update inbox set state = 'waiting', outcome = null, settled = null, due = now()
        where account = new.account_id and outcome = 'unknown_account' and payload <> '';
    if found then
        perform pg_notify('inbox', '');
    end if;
    return null;
end $$;

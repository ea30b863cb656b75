-- What the order rule remembers of an object's last seconds, the inbox by object and by account, and jobs.

do $$
declare
    t text;
begin
    foreach t in array array['accounts', 'products', 'prices', 'coupons', 'customers', 'payment_methods', 'subscriptions',
                             'invoices', 'payments', 'invoice_payments', 'checkout_sessions'] loop
        execute format('alter table %I add column request text, add column read_epoch bigint not null default 0,
                        add column chain json', t);
    end loop;
end $$;

-- The object that an event tells of, so that one object's events are handled together; `leased` while Stripe is asked.
alter table inbox add column object_id text not null default '', add column leased_until timestamptz;
update inbox set object_id = coalesce(payload::json #>> '{data,object,id}', '');
drop index inbox_waiting;
create index inbox_lane on inbox (account, due, id) where state = 'waiting';
create index inbox_leased on inbox (account, object_id) where leased_until is not null;
create index inbox_unknown on inbox (account) where outcome = 'unknown_account';
create index inbox_settled on inbox (settled) where settled is not null;
create index inbox_dead on inbox (id) where state = 'dead';

-- When Stripe last said whether we may act for the account.
alter table tenants add column connection_told timestamptz;

-- Events of an account that nobody knew wait for it: they are handled once a tenant has it.
create function inbox_of_new_account() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update inbox set state = 'waiting', outcome = null, settled = null, due = now()
        where account = new.account_id and outcome = 'unknown_account';
    if found then
        perform pg_notify('inbox', '');
    end if;
    return null;
end $$;
revoke all on function inbox_of_new_account() from public;
create trigger inbox_of_new_account after insert or update of account_id on tenants
    for each row when (new.account_id is not null) execute function inbox_of_new_account();

-- Long work for a tenant: backfill, reconcile, and samples between them. The cursor says how far it came.
create table jobs (
    id bigint generated always as identity,
    tenant_id bigint not null references tenants (id),
    kind text not null check (kind in ('backfill', 'reconcile', 'sample')),
    state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed')),
    cursor json not null default '{}',
    report json not null default '{}',
    attempts integer not null default 0,
    error text,
    created timestamptz not null default clock_timestamp(),
    due timestamptz not null default clock_timestamp(),
    started timestamptz,
    finished timestamptz,
    primary key (tenant_id, id)
);
create unique index jobs_one_at_a_time on jobs (tenant_id, kind) where state in ('waiting', 'running');
create index jobs_due on jobs (due) where state in ('waiting', 'running');
create index jobs_last on jobs (tenant_id, kind, created desc);

alter table jobs enable row level security;
alter table jobs force row level security;
create policy system on jobs to gateway_system using (true) with check (true);
create policy owner on jobs to current_user using (true) with check (true);
create policy app on jobs to gateway_app
    using (tenant_id = nullif(current_setting('app.tenant', true), '')::bigint)
    with check (tenant_id = nullif(current_setting('app.tenant', true), '')::bigint);
grant usage on all sequences in schema public to gateway_app, gateway_system;
grant select, insert, update, delete on jobs to gateway_system;
grant select, insert, update on jobs to gateway_app;

-- A tenant's part of the inbox, in numbers: the inbox itself belongs to no tenant.
create function inbox_of_tenant()
returns table (state text, events bigint, oldest timestamptz)
language sql stable security definer set search_path = public, pg_temp as $$
    select i.state, count(*), min(i.received) from inbox i join tenants t on t.account_id = i.account
        where t.id = nullif(current_setting('app.tenant', true), '')::bigint and i.state in ('waiting', 'dead')
        group by i.state
$$;
revoke all on function inbox_of_tenant() from public;
grant execute on function inbox_of_tenant() to gateway_app, gateway_system;
create index inbox_account_dead on inbox (account) where state = 'dead';

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

-- A platform key reaches every tenant, so it can be rotated and ended like any other, and that leaves a record.

alter table platform_tokens add column replaced_by text;

-- The audit log belongs to tenants and a platform key to none: who issued, rotated and revoked such keys stands here.
create table platform_entries (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    action text not null,
    target text not null
);
alter table platform_entries enable row level security;
alter table platform_entries force row level security;
create policy system on platform_entries to gateway_system using (true) with check (true);
create policy owner on platform_entries to current_user using (true) with check (true);
grant select, insert on platform_entries to gateway_system;

-- A tenant that was removed before it had an account. Its row stays: the audit log is about it and only grows.
alter table tenants drop constraint tenants_status_check;
alter table tenants add constraint tenants_status_check
    check (status in ('pending', 'active', 'disconnected', 'closed')),
    add constraint tenants_closed_without_account check (status <> 'closed' or account_id is null);

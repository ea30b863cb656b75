-- An idempotency key is its owner's: the tenant's back end has one space of keys, and each of its customers has its own.

alter table operations add column owner text not null default '';
alter table operations drop constraint operations_tenant_id_livemode_key_key;
alter table operations add constraint operations_tenant_id_livemode_owner_key_key unique (tenant_id, livemode, owner, key);

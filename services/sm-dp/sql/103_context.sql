-- The operator's ContextID, which all calls of its download carry.

alter table download add column context_id text not null default ''; -- empty: it gave none

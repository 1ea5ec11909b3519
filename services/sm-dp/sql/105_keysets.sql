-- Keys of ISD-Ps that go to their operators.

create table keyset_export (
	id uuid primary key,
	mno text not null,                          -- OID of the operator under whose transport key they went
	type text,                                  -- null: of all its profile types
	keysets integer not null default 0,         -- how many
	made_at timestamptz not null default now(),
	made_by text not null,                      -- who asked for it, by their own word
	confirmed_at timestamptz,                   -- the operator has them
	confirmed_by text,
	wiped integer                               -- how many of them we do not have any more since
);

alter table isdp_keyset add column export uuid references keyset_export; -- the last one that it went with
create index isdp_keyset_export on isdp_keyset (export) where export is not null;

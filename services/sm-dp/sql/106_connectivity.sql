-- Connectivity parameters of profiles that are on cards (ES3.UpdateConnectivityParameters; procedures.md 3.16).

alter table isdp_keyset add column sequence integer not null default 1; -- sessions under these keys that the card has counted, as far as we know
alter table isdp_keyset add column smsr text not null default '';       -- OID: who manages the card, as far as we know

create table connectivity (
	id uuid primary key,                        -- FCI and TransactionId of its calls are <id>.<step>
	eid text not null,
	smsr text not null,                         -- OID: whom the call goes to; nobody else may answer
	iccid text not null,
	isdp bytea not null,                        -- AID
	kvn int2 not null,
	sequence integer not null,                  -- of the session that the call opens
	challenge bytea not null,                   -- the host's, in that session
	parameters bytea not null,                  -- under the KEK: an APN may have a password
	step integer not null default 1,            -- the call that is under way; one more when the card had counted otherwise
	state int2 not null default 0,              -- enum connectivity_state
	made_at timestamptz not null default now(),
	made_by text not null,
	deadline timestamptz not null,
	ended_at timestamptz,
	answer text not null default ''             -- what came of it, for people
) with (fillfactor = 70);
create unique index connectivity_open on connectivity (eid) where state = 0;
create index connectivity_eid on connectivity (eid, made_at);
create index connectivity_made on connectivity (made_at);
create index connectivity_ended on connectivity (deadline);

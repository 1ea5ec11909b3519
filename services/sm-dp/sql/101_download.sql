-- Profile downloads (common/sgp02/download.h), and the keys of ISD-Ps that they leave.

create table download (
	id uuid primary key,                        -- FCI and TransactionId of its calls are <id>.<step>
	eid text not null,
	smsr text not null,                         -- OID: whom the calls go to; nobody else may answer
	mno text not null,                          -- OID of the operator that ordered it
	iccid text not null references stock,
	type text not null,
	enable boolean not null,
	fci text not null,                          -- of the operator's call, as table call has it
	trace text not null,
	state int2 not null,                        -- enum download_state
	since timestamptz not null default now(),   -- in this state
	step integer not null,                      -- the call that is under way, or was refused
	wait int2 not null,                         -- enum download_wait
	tries integer not null default 0,           -- refusals and repetitions of this step
	busy_at timestamptz,                        -- when it was refused, by the SM-SR's clock
	started_at timestamptz not null default now(),
	deadline timestamptz not null,              -- the operator's
	call_until timestamptz not null,            -- of the call under way
	due_at timestamptz not null,                -- when something is to be done if nothing happens before
	isdp bytea,                                 -- AID, once it is created
	ecasd bytea,                                -- PK.ECASD.ECKA
	leftovers text not null default '',         -- ICCIDs to be deleted before, blank between two
	request bytea,                              -- STORE DATA with our signed ephemeral key: signed once, sent as it is
	secret bytea,                               -- under the KEK: the ephemeral key; from INSTALL on the ISD-P's keys
	first integer not null default 0,           -- segments of the package from this one ...
	past integer not null default 0,            -- ... to before this one are under way
	told boolean not null default false,        -- the operator has its answer
	status int2,                                -- enum status: how it ended, or will once it is cleaned up
	code text not null default '',              -- of proto/status_codes.def
	subject_id text not null default '',
	message text not null default '',
	ended_at timestamptz
) with (fillfactor = 70);
create unique index download_active on download (eid) where ended_at is null;
create index download_due on download (due_at) where ended_at is null;
create index download_eid on download (eid, started_at);
create index download_started on download (started_at);
create index download_ended on download (ended_at) where ended_at is not null;

-- The SCP03 keys of an ISD-P, when its profile's type does not say that they are deleted.
create table isdp_keyset (
	eid text not null,
	isdp bytea not null,                        -- AID
	iccid text not null,
	kvn int2 not null,
	keys int2 not null,                         -- enum type_keys: retained, or to be handed over to the operator
	wrapped bytea not null,                     -- ENC | MAC | DEK under the KEK
	created_at timestamptz not null default now(),
	primary key (eid, isdp)
);

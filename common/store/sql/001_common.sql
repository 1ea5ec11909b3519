-- What every role's database has: partners, calls that were answered, what must leave.

-- Partners (decisions.md D5).
create table entity (
	oid text primary key,
	name text not null,
	roles integer not null,                     -- enum role bits
	dialect text not null default '',
	customers text[] not null default '{}'      -- of an SM-DP: OIDs of its operators
);
create table entity_cert (
	fingerprint bytea primary key,              -- SHA-256 of the DER
	oid text not null references entity on delete cascade,
	spki bytea not null,                        -- SHA-256 of the SubjectPublicKeyInfo: pin
	subject text not null,
	not_after timestamptz not null
);
create index entity_cert_oid on entity_cert (oid);
create table entity_address (
	oid text not null references entity on delete cascade,
	iface text not null,                        -- ES1, ES4, ...
	ord integer not null,                       -- tried in this order
	url text not null,
	primary key (oid, iface, ord)
);

-- Idempotency (decisions.md A1): one row per call that was executed or refused for good.
create table call (
	caller text not null,
	function text not null,                     -- ES1-RegisterEIS
	fci text not null,
	digest bytea not null,
	at timestamptz not null default now(),
	answer bytea,                               -- the encoded Response element; null while it runs
	primary key (caller, function, fci)
);
create index call_at on call (at);

-- What must leave after a commit (decisions.md B1).
create table outbox (
	id bigint generated always as identity primary key,
	lane text not null,                         -- peer:<OID>, bus
	shard smallint not null,                    -- 0..15 of (lane, eid)
	eid text not null default '',
	kind text not null,                         -- event name, or ES1-RegisterEIS
	dedup text not null,                        -- event id, or the FunctionCallIdentifier
	ref text not null default '',               -- the role's key of what waits for the answer
	context_id text not null default '',
	trace text not null default '',
	payload bytea not null,                     -- JSON, or the encoded Request element
	created_at timestamptz not null default now(),
	attempts integer not null default 0,
	next_at timestamptz not null default now(),
	give_up_at timestamptz,                     -- null: never
	dead_at timestamptz,                        -- a dead letter: visible, replayable
	error text not null default ''
) with (fillfactor = 70);
create index outbox_due on outbox (shard, id) where dead_at is null;
create index outbox_lane on outbox (lane, eid, id) where dead_at is null;

-- What tenants ordered and how it ended; what SM-SRs told of their own accord.

create table operation (
	id uuid primary key,                        -- also the TransactionId of its requests; their FCI is <id>.<attempt>
	eid text not null,
	kind text not null check (kind in ('enable', 'audit')),
	iccid text not null default '',             -- enable
	iccids text not null default '',            -- audit: blank between two; empty: all
	smsr text not null,                         -- OID: whom it was sent to; nobody else may answer
	mode text not null check (mode in ('callback', 'connection')),
	patient boolean not null,                   -- a busy SM-SR is asked again until the deadline
	state text not null check (state in ('queued', 'accepted', 'repeated', 'waiting', 'ended')),
	attempt integer not null default 1,
	created_at timestamptz not null,
	deadline timestamptz not null,
	next_at timestamptz not null,               -- when something is to be done if nothing happens before
	ended_at timestamptz,
	status text not null default '',            -- of the last answer, as are those below
	subject text not null default '',
	reason text not null default '',
	subject_id text not null default '',
	message text not null default '',
	euicc_response text not null default '',    -- hex
	eis text not null default '',               -- audit: JSON of docs/northbound.md
	user_name text not null,                    -- the token that ordered it
	idempotency_key text,                       -- of that token
	input text not null,                        -- what was ordered, to tell another order under the same key
	trace text not null default ''
) with (fillfactor = 70);
create index operation_eid on operation (eid, created_at);
create index operation_due on operation (next_at) where state <> 'ended'; -- however many have ended
create index operation_ended on operation (ended_at) where state = 'ended';
create index operation_created on operation (created_at);
create unique index operation_key on operation (user_name, idempotency_key) where idempotency_key is not null;

create table notification (
	id bigint generated always as identity primary key,
	smsr text not null,                         -- who told it
	eid text not null,
	iccid text not null,
	kind text not null check (kind in ('enabled', 'disabled')),
	completed_at timestamptz not null,
	received_at timestamptz not null default now(),
	message_id text not null
);
create index notification_eid on notification (eid, id);
create index notification_received on notification (received_at);

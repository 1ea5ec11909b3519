-- Calls that are answered later, answers that come later, notifications that came twice (decisions.md A1 to A7).

-- One row per request message that waits for the end of its call (A2). The answer itself is in call.
create table reply (
	id uuid primary key,
	caller text not null,
	function text not null,
	fci text not null,                          -- with caller and function: the key of call
	eid text not null default '',
	mode text not null check (mode in ('callback', 'parked')),
	message_id text not null,                   -- what RelatesTo repeats
	transaction_id text not null default '',
	context_id text not null default '',
	address text not null default '',           -- callback: ReplyTo
	replica text not null default '',           -- parked: where the connection is
	answered boolean not null default false,    -- parked: the replica may fetch call.answer
	until timestamptz not null                  -- parked: nobody waits beyond; callback: the call's deadline and a day
);
create index reply_call on reply (caller, function, fci);
create index reply_replica on reply (replica) where mode = 'parked';

-- Requests that are answered by callback, callbacks, and notifications have more to say than a body.
alter table outbox
	add column address text not null default '',        -- a callback's ReplyTo; else the registry's address
	add column relates_to text not null default '',     -- callbacks
	add column transaction_id text not null default '', -- of our MessageIDs; what a callback is found by
	add column message_id text not null default '',     -- notifications: the same one at all attempts (A7)
	add column wants_callback boolean not null default false, -- our own address as ReplyTo
	add column timeout_s integer not null default 30;   -- for one attempt

-- Notifications that were taken (A7), kept as long as calls.
create table seen (
	entity text not null,
	message_id text not null,
	digest bytea not null,
	at timestamptz not null default now(),
	primary key (entity, message_id, digest)
);
create index seen_at on seen (at);

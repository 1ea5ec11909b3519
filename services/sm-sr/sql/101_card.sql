-- Commanding cards (decisions.md C1 to C9): who may, what is queued, where a session is open, what the card said.

alter table eis_state
	add column uncertain boolean not null default false, -- a script was fetched and never answered: GET STATUS first (C3)
	add column expired_aid bytea;          -- an enable of this ISD-P expired on the card's side: its notification is not confirmed

-- One procedure at a time may command a card (C1).
create table eid_busy (
	eid text primary key,
	kind smallint not null,                -- enum procedure_kind
	procedure uuid not null,
	holder text not null,                  -- OID of who asked
	isdp bytea,                            -- a lease for this ISD-P (MoreToDo)
	until timestamptz not null
);

create table procedure (
	eid text not null,
	id uuid not null,
	kind smallint not null,                -- enum procedure_kind
	state smallint not null,               -- enum procedure_state
	caller text not null,
	caller_roles integer not null,
	function text not null,                -- with caller and fci: the key of call
	fci text not null,
	context_id text not null default '',
	trace text not null default '',
	iccid text not null default '',        -- what is to be enabled
	isdp_aid bytea,
	before_aid bytea,                      -- what was enabled when it began
	iccids text not null default '',       -- what an audit was asked about, blank between two; '': all
	started_at timestamptz not null default now(),
	deadline timestamptz not null,
	ended_at timestamptz,
	status smallint,                       -- enum status, when ended
	code text not null default '',         -- name in status_codes.def; '': success
	primary key (eid, id)
) with (fillfactor = 70);
create index procedure_due on procedure (deadline) where ended_at is null;
create index procedure_ended on procedure (ended_at) where ended_at is not null;

-- What the card shall execute, one script a row. state: enum command_state.
create table card_command (
	eid text not null,
	seq bigint generated always as identity,
	procedure uuid,                        -- null: of the engine itself (GET STATUS, confirmations)
	kind smallint not null,                -- enum command_kind
	target bytea not null,                 -- AID of the application that gets the script
	script bytea not null,                 -- C-APDUs as an expanded script
	kept bytea,                            -- for its answer: the notification that is confirmed, the list as far as it was read
	state smallint not null,
	queued_at timestamptz not null default now(),
	trigger_at timestamptz not null,       -- unfetched then: wake the card by SMS
	triggers integer not null default 0,
	trigger_error text not null default '', -- why it could not be woken
	session uuid,                          -- that fetched it
	fetched_at timestamptz,
	ended_at timestamptz,
	primary key (eid, seq)
) with (fillfactor = 70);
create index card_command_open on card_command (eid, seq) where state < 2;
create index card_command_due on card_command (trigger_at) where state = 0;
create index card_command_ended on card_command (ended_at) where state >= 2;

-- The open HTTPS session of a card (C2).
create table card_session (
	eid text primary key,
	id uuid not null,
	replica text not null,
	since timestamptz not null default now(),
	gone_at timestamptz                    -- the connection broke before the session ended: the card may resume it
) with (fillfactor = 70);

-- What cards reported, once per sequence number.
create table card_notification (
	eid text not null,
	seq integer not null,
	type smallint not null,
	aid bytea not null,
	first_at timestamptz not null default now(),
	last_at timestamptz not null default now(),
	times integer not null default 1,
	confirmed boolean not null default false, -- its effects are in the EIS
	primary key (eid, seq)
);

-- Travels with the card (wire.md 6.7); never cleaned.
create table audit_trail (
	eid text not null,
	id bigint generated always as identity,
	at timestamptz not null default now(),
	operation integer not null,            -- OperationType
	requester text,                        -- null: the card itself
	status smallint,
	subject text,
	reason text,
	isdp_aid bytea,
	iccid text,
	imei bytea,
	meid bytea,
	primary key (eid, id)
);

-- SMS to cards (C6, C7). A packet is built in the transaction that takes its counter and never changes. state: enum sms_state.
create table sms_out (
	id bigint generated always as identity primary key,
	eid text not null,
	kind smallint not null,                -- enum sms_out_kind
	kvn smallint not null,
	counter bigint not null,
	spi2 smallint not null,
	msisdn text not null,                  -- where it was sent
	packet bytea not null,
	state smallint not null,
	attempts integer not null default 0,
	uncounted integer not null default 0,  -- of them: throttled, or never answered by the SMSC
	queued_at timestamptz not null default now(),
	next_at timestamptz not null default now(), -- when it is sent (again)
	until timestamptz not null,            -- given up then
	ended_at timestamptz,
	error text not null default ''
) with (fillfactor = 70);
create index sms_out_due on sms_out (next_at) where state < 3;
create unique index sms_out_eid on sms_out (eid, kvn) where state < 3; -- one in flight
create index sms_out_ended on sms_out (ended_at) where state >= 3;

-- One short message of it. message_id: the SMSC's, as it wrote it.
create table sms_part (
	sms bigint not null references sms_out on delete cascade,
	number smallint not null,
	attempt integer not null,
	message_id text,
	status bigint,                         -- of submit_sm_resp; null: not answered
	receipt text,                          -- DELIVRD, ...
	at timestamptz not null default now(),
	primary key (sms, attempt, number)
);
create index sms_part_message on sms_part (ltrim(lower(message_id), '0')) where message_id is not null;
-- A receipt may overtake the answer that names its message.
create table sms_receipt (
	message_id text not null,
	receipt text not null,
	at timestamptz not null default now()
);
-- Parts of what a card sends, until all are there.
create table sms_in (
	msisdn text not null,
	ref smallint not null,
	total smallint not null,
	number smallint not null,
	kind smallint not null,                -- enum sms_kind of the first
	data bytea not null,
	at timestamptz not null default now(),
	primary key (msisdn, ref, total, number)
);
-- Which replica holds the SMS lane now: whose bell is rung when a card is to be woken.
create table sms_lane (
	one boolean primary key default true check (one),
	replica text not null
);

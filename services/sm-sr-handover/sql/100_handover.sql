-- SM-SR changes, both sides of them (common/sgp02/handover.h). A row's id is that of the sm-sr's procedure: of ES4.SMSRChange for
-- handover_out, of ES4.PrepareSMSRChange for handover_in.

-- SM-SR1: a card that shall go.
create table handover_out (
	id uuid primary key,                        -- FCI and TransactionId of its calls are <id>.<step>
	eid text not null,
	target text not null,                       -- OID of the SM-SR that shall have it: whom the calls go to
	operator text not null,                     -- OID of who ordered it
	context_id text not null default '',
	trace text not null default '',
	state int2 not null,                        -- enum handover_out_state
	step integer not null,                      -- of the call, request or command under way
	wait int2 not null default 0,
	tries integer not null default 0,           -- of this step, without an answer
	started_at timestamptz not null default now(),
	deadline timestamptz not null,              -- the operator's
	due_at timestamptz not null,                -- when something is to be done if nothing happens before
	eis bytea,                                  -- the Eis element as it is handed over
	certificate bytea,                          -- CERT.SR.ECDSA of the target: the TLV
	challenge bytea,                            -- the card's random challenge
	offer bytea,                                -- what CreateAdditionalKeySet said, as the STORE DATA that the card gets
	answer bytea,                               -- the card's answer to it
	asked_fci text not null default '',         -- FCI of the target's call that waits for the card
	told boolean not null default false,        -- the operator was answered
	status int2,                                -- enum status: how it ended, or will
	code text not null default '',              -- of proto/status_codes.def
	subject_id text not null default '',
	message text not null default '',
	ended_at timestamptz
) with (fillfactor = 70);
create unique index handover_out_active on handover_out (eid) where ended_at is null;
create index handover_out_due on handover_out (due_at) where ended_at is null;
create index handover_out_eid on handover_out (eid, started_at);
create index handover_out_ended on handover_out (ended_at) where ended_at is not null;

-- SM-SR2: a card that shall come, from its announcement on. What came stays until the card leaves again: so long its former SM-SR may ask.
create table handover_in (
	id uuid primary key,                        -- FCI and TransactionId of its calls are <id>.<step>
	eid text not null,
	former text not null,                       -- OID of the SM-SR that has it: nobody else hands it over
	operator text not null,                     -- OID of who announced it
	context_id text not null default '',
	trace text not null default '',
	state int2 not null,                        -- enum handover_in_state
	step integer not null default 0,            -- of the call, request or command under way
	wait int2 not null default 0,               -- enum handover_in_wait
	tries integer not null default 0,           -- of this step, in vain
	started_at timestamptz not null default now(),
	prepared_until timestamptz not null,        -- the announcement's end
	deadline timestamptz,                       -- of HandoverEUICC
	due_at timestamptz not null,                -- when something is to be done if nothing happens before
	eis bytea,                                  -- the Eis element as it came, until the sm-sr has it
	ecasd bytea,                                -- PK.ECASD.ECKA
	kvn int2 not null default 0,                -- of KS2
	counter bigint not null default 0,          -- its initial one
	offer bytea,                                -- ePK and our signature of the key request: made once, sent as it is
	secret bytea,                               -- under the KEK: the ephemeral key, then KS2, until the sm-sr has it
	psk_kvn int2 not null default 0,            -- of the key set for HTTPS that the card gets; 0: none
	told boolean not null default false,        -- HandoverEUICC was answered
	status int2,                                -- enum status of that answer
	code text not null default '',              -- of proto/status_codes.def
	subject_id text not null default '',
	message text not null default '',
	ended_at timestamptz,
	left_at timestamptz                         -- another SM-SR has it since
) with (fillfactor = 70);
create unique index handover_in_active on handover_in (eid) where ended_at is null;
create index handover_in_due on handover_in (due_at) where ended_at is null;
create index handover_in_deadline on handover_in (deadline) where ended_at is null and not told;
create index handover_in_eid on handover_in (eid, started_at);
create index handover_in_ended on handover_in (ended_at) where ended_at is not null;

-- HandoverEUICC calls that wait for the answer: one, or more when it was repeated under other identifiers.
create table handover_in_call (
	handover uuid not null references handover_in on delete cascade,
	fci text not null,                          -- as table call has it
	received_at timestamptz not null default now(),
	told boolean not null default false,
	primary key (handover, fci)
);
create index handover_in_call_open on handover_in_call (handover) where not told;

-- When which side came to which state, for people.
create table handover_stage (
	handover uuid not null,
	side int2 not null,                         -- enum handover_side
	number bigint generated always as identity,
	state int2 not null,
	step integer not null,
	at timestamptz not null default clock_timestamp(),
	note text not null default '',              -- what brought it there
	primary key (handover, side, number)
);

-- Cards change their SM-SR (decisions.md E1, E2): what was announced to us, what we took over, what went.

-- Calls of ES4.PrepareSMSRChange, of cards that are not managed here. The answer is the sm-sr-handover's.
create table smsr_prepare (
	id uuid primary key,                   -- the handover
	eid text not null,
	caller text not null,                  -- with function and fci: the key of call
	function text not null,
	fci text not null,
	received_at timestamptz not null,
	ended_at timestamptz
) with (fillfactor = 80);
create index smsr_prepare_ended on smsr_prepare (ended_at) where ended_at is not null;

-- A card that another SM-SR handed over to us; the others their EUMs registered here.
create table adopted (
	eid text primary key,
	handover uuid not null,
	former text not null,                  -- OID of that SM-SR
	operator text not null,                -- who announced it
	context_id text not null,              -- of that message; '': none
	at timestamptz not null default now(),
	announced_at timestamptz               -- when owners of its profiles were told
);

-- A card that was managed here, and who has it now. Stays until the card comes back.
create table tombstone (
	eid text primary key,
	moved_to text not null,                -- OID of its SM-SR
	handover uuid not null,
	at timestamptz not null default now()
);

-- Its records travel with a card, with all that another SM-SR wrote into them.
alter table audit_trail
	add column smsr text,                  -- who executed it; null: we
	add column subject_id text,
	add column message text;

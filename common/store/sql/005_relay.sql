-- Calls that go on to the next hop (ES2 to ES3): which step each is at, and what it still needs.

create table relay (
	id uuid primary key,                        -- our FunctionCallIdentifiers are <id>.<step>
	caller text not null,
	function text not null,
	fci text not null,                          -- with caller and function: the key of call
	eid text not null default '',
	iccid text not null default '',             -- for people; '' when the call names none
	next text not null,                         -- the next hop's function
	peer text not null,                         -- the next hop
	request bytea not null,                     -- its Request element; the ValidityPeriod is set when it is sent
	by_callback boolean not null,               -- the peer may answer by callback
	once boolean not null,                      -- a read: its call is repeated by nobody
	state smallint not null,                    -- enum relay_state
	received_at timestamptz not null,           -- when the call came, by our own clock: for its answer
	context_id text not null default '',
	trace text not null default '',
	deadline timestamptz not null,
	ended_at timestamptz
);
create index relay_due on relay (deadline) where ended_at is null;
create index relay_ended on relay (ended_at) where ended_at is not null;
create index relay_read on relay (ended_at) where ended_at is not null and once;

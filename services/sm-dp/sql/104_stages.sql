-- The way of each download, for people: one row for each call to the SM-SR, and for its end.

create table download_stage (
	download uuid not null references download on delete cascade,
	step integer not null,                      -- of its call's FCI, <download>.<step>; of an end: of the last call
	state int2 not null,                        -- enum download_state
	begun_at timestamptz not null default clock_timestamp(),
	answered_at timestamptz,
	answer text not null default '',            -- what the SM-SR said last, and what we made of it
	primary key (download, step, state)
);

-- What the sm-sr-handover of this domain has cards execute (decisions.md C1, E2): asked once for each (handover, step), its end told by a
-- request of ours.
create table handover_step (
	eid text not null,
	handover uuid not null,
	step text not null,
	command smallint not null,             -- enum handover_command
	procedure uuid not null,               -- that has the card for it: the lock of the handover, or one of its own
	kvn smallint,                          -- of the SCP81 set that it is about
	keep text not null default '',         -- of a finalise: versions of key sets, blank between two
	until timestamptz not null,            -- withdrawn then
	asked_at timestamptz not null default now(),
	ended_at timestamptz,
	told text not null default '',         -- ended: the outcome, as it was asked for the first time
	primary key (eid, handover, step)
) with (fillfactor = 70);
create unique index handover_step_open on handover_step (eid) where ended_at is null; -- one at a time
create index handover_step_due on handover_step (until) where ended_at is null;
create index handover_step_ended on handover_step (ended_at) where ended_at is not null;

-- 0: in use. A set that we made: 1 the card has not said that it has it, 2 it has, and does not know yet where to go with it.
alter table keyset add column stage smallint not null default 0; -- enum keyset_stage

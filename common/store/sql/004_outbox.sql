-- Dead letters that are replayed, and what the outbox's workers look for (decisions.md B1).

-- The give-up time counts from here: a replay gives a row as long as it had at first.
alter table outbox
	add column replayed_at timestamptz;         -- null: since created_at

create index outbox_next on outbox (next_at) where dead_at is null;
create index outbox_give_up on outbox (give_up_at) where dead_at is null and give_up_at is not null;
create index outbox_dead on outbox (id) where dead_at is not null;

-- "Busy" to a request that may have been executed before must not lead to another one (decisions.md A1, C1).

alter table operation
	add column refusals integer not null default 0, -- how often it was busy
	add column busy_at timestamptz;                 -- when, by its own clock; null: its refusal of this FCI is for good, or tells no time

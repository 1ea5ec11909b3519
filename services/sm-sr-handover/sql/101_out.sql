-- SM-SR1's rows: how HandoverEUICC stands, and the call of SM-SR2 that a card is commanded for.

alter table handover_out
	drop column offer,
	drop column answer,
	drop column subject_id,
	alter column due_at drop not null,          -- null: nothing is to be done by the clock
	add column since timestamptz not null default clock_timestamp(), -- in this state
	add column call integer not null default 0, -- of HandoverEUICC, whose FCI is <id>.<call>; 0: none yet. step: of what the sm-sr is asked
	add column call_at timestamptz,             -- when it is made again, unless it stands in the outbox
	add column called_at timestamptz,           -- when the target's call that waits for the card came,
	add column call_until timestamptz;          -- and when its time is over
create index handover_out_started on handover_out (started_at);

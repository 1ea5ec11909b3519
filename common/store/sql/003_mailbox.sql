-- Answers that are fetched with WS-MakeConnection (decisions.md A2).

alter table reply
	drop constraint reply_mode_check,
	add constraint reply_mode_check check (mode in ('callback', 'parked', 'poll')),
	add column answer bytea,                    -- poll, once answered: the encoded Response element
	add column ord bigint;                      -- poll, once answered: the oldest is fetched first
-- address, poll: the mailbox, whole; until, poll: nobody fetches it beyond

create sequence mailbox_ord;                        -- no clock: it may be set back
create index reply_mailbox on reply (caller, address, ord) where mode = 'poll';

-- Downloads: what an SM-DP goes on with (decisions.md C1, C4).
alter table procedure
	add column more boolean not null default false, -- MoreToDo: its end leaves a lease
	add column session uuid;               -- the only session in which its command may go to the card
-- kind 100: no procedure commands the card, but only holder may go on, with isdp, until then.
alter table eid_busy add column certified uuid; -- the session in which the ECASD took a certificate for isdp

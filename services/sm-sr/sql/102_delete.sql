-- Profiles that POL2 wants deleted, now that they were disabled (procedures.md 3.10): until the card did it, or will not.
alter table eis_state add column auto_delete text not null default ''; -- ICCIDs, blank between two

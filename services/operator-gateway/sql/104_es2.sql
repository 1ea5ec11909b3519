-- Orders that go by an SM-DP (ES2), downloads, and what SM-DPs tell.

alter table operation
	drop constraint operation_kind_check,
	add constraint operation_kind_check check (kind in ('enable', 'audit', 'disable', 'delete', 'policy', 'address', 'download')),
	add column smdp text not null default '',       -- OID: whom it was sent to, and nobody else may answer; empty: the SM-SR
	add column answer_iccid text not null default ''; -- download: which profile the SM-DP took

alter table euicc
	add column smdp text not null default '';       -- OID: by whom orders for the card go that do not say it; empty: the default's

alter table notification rename column smsr to sender;
alter table notification
	drop constraint notification_kind_check,
	add constraint notification_kind_check check (kind in ('enabled', 'disabled', 'deleted', 'downloaded', 'pol2_updated')),
	add column interface text not null default 'ES4' check (interface in ('ES2', 'ES4')), -- from an SM-DP, or from an SM-SR
	add column detail text not null default '';     -- what else it says: members of its JSON (docs/northbound.md)

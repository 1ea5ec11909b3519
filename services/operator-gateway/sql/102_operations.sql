-- The everyday orders beside enable and audit, and the third thing that SM-SRs tell of a profile.

alter table operation
	drop constraint operation_kind_check,
	add constraint operation_kind_check check (kind in ('enable', 'audit', 'disable', 'delete', 'policy', 'address')),
	add column change text not null default ''; -- policy, address: what is to hold from then on (JSON of docs/northbound.md)

alter table notification
	drop constraint notification_kind_check,
	add constraint notification_kind_check check (kind in ('enabled', 'disabled', 'deleted'));

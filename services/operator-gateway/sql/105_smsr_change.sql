-- Cards that move to another SM-SR: ordered by us (ES4.PrepareSMSRChange, then ES4.SMSRChange), and told by SM-SRs and SM-DPs.

alter table operation
	drop constraint operation_kind_check,
	add constraint operation_kind_check
		check (kind in ('enable', 'audit', 'disable', 'delete', 'policy', 'address', 'download', 'smsr-change')),
	add column stage text not null default '' check (stage in ('', 'prepare', 'change')), -- smsr-change: which of its calls is under way
	add column stage_attempt integer not null default 1, -- the first attempt of that stage
	add column stages text not null default '';          -- smsr-change: what happened when (JSON of docs/northbound.md)

alter table euicc
	add column moved_at timestamptz;            -- when the newest change of its SM-SR that we know of was completed

alter table notification
	drop constraint notification_kind_check,
	add constraint notification_kind_check
		check (kind in ('enabled', 'disabled', 'deleted', 'downloaded', 'pol2_updated', 'smsr_changed'));

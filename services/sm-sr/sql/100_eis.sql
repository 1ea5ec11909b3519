-- The eUICCs that this SM-SR manages (decisions.md F1, F2). Everything about a card leads with eid.

-- Written once: what the EUM signed, as it was digested, and what never changes.
create table eis (
	eid text primary key,
	eum text not null,                     -- who made it and registered it
	signed_info bytea not null,            -- canonical EumSignedInfo (D3)
	signature bytea not null,              -- canonical EumSignature
	signer bytea not null,                 -- DER of the certificate that verified it
	signer_revoked boolean not null,       -- at registration: flagged, never refused (D4)
	available_memory bigint not null,      -- bytes for profiles in all
	isdr_aid bytea not null,
	isdr_tars bytea not null,              -- three bytes each
	isdr_sin bytea not null,
	isdr_sdin bytea not null,
	registered_at timestamptz not null default now()
) with (toast_tuple_target = 8160);
-- A row of some 3 KiB stays in one piece: a card is read with one page of it, not with several of a side table, and as it is.
alter table eis alter signed_info set storage external, alter signature set storage external, alter signer set storage external;

-- What changes with the card. Its row is the lock of all that is about the card.
create table eis_state (
	eid text primary key,
	remaining_memory bigint not null,
	last_audit timestamptz
) with (fillfactor = 70);

create table profile (
	eid text not null,
	iccid text not null,
	isdp_aid bytea not null,
	mno text not null,
	fallback boolean not null,
	imsi text,
	msisdn text,
	state smallint not null,               -- enum profile_state
	smdp text,                             -- null: loaded in the factory
	profile_type text,
	allocated_memory bigint not null,
	free_memory bigint,
	pol2 bytea not null,                   -- three bytes a rule: subject, action, qualification
	primary key (eid, iccid)
) with (fillfactor = 80);

create table keyset (
	eid text not null,
	version smallint not null,
	type smallint,                         -- enum keyset_type
	counter bigint,                        -- null: not said, 0
	primary key (eid, version)
) with (fillfactor = 80);

create table keyset_key (
	eid text not null,
	version smallint not null,
	idx smallint not null,
	type smallint not null,                -- 88 AES, 85 PSK-TLS
	kcv bytea not null,
	wrapped bytea not null,                -- under the KEK, AAD eid|version|idx (B3)
	primary key (eid, version, idx)
);

create table property (
	eid text not null,
	key text not null,
	value text not null,
	primary key (eid, key)
);

-- Look-up tables keyed otherwise than by eid; ids only (F1).
create table iccid (
	iccid text primary key,
	eid text not null
);
create table msisdn (
	msisdn text not null,
	eid text not null,
	iccid text not null,
	primary key (msisdn, eid, iccid)
);

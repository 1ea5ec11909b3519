-- The EUM: batches that were ordered, the cards made for them, what their SM-SRs answered.

-- Numbers given out, per prefix (EIDs, ICCIDs, IMSIs, MSISDNs). A batch takes its whole range when it is ordered, so a card's numbers
-- follow from the batch and the card's index, whatever happens while it is made.
create table number_range (
	kind text not null,                         -- eid, iccid, imsi, msisdn
	prefix text not null,
	next bigint not null,                       -- the first free one
	primary key (kind, prefix)
);

create table batch (
	id text primary key,                        -- a UUID
	orderer text not null,                      -- OID of the entity that ordered
	name text not null,
	smsr text not null,                         -- OID: where the cards are registered
	quantity integer not null,
	eid_prefix text not null,
	eid_first bigint not null,
	platform_type text not null,
	platform_version text not null,
	memory bigint not null,
	http_support boolean not null,
	created_at timestamptz not null default now(),
	made integer not null default 0,            -- cards 0..made-1 exist
	file_at timestamptz,                        -- the simulator's batch file was written completely
	unique (orderer, name)
);
create index batch_due on batch (created_at) where file_at is null;

create table batch_profile (
	batch text not null references batch,
	ord integer not null,
	mno text not null,
	profile_type text,
	enabled boolean not null,                   -- the bootstrap: enabled, with the fall-back attribute
	memory bigint not null,
	iccid_prefix text not null,
	iccid_first bigint not null,
	imsi_prefix text,
	imsi_first bigint not null,
	msisdn_prefix text,
	msisdn_first bigint not null,
	primary key (batch, ord)
);

create table batch_property (
	batch text not null references batch,
	ord integer not null,
	key text not null,
	value text not null,
	primary key (batch, ord)
);

create table card (
	eid text primary key,
	batch text not null references batch,
	ord integer not null,                       -- 0..quantity-1
	fci text not null,                          -- FunctionCallIdentifier of its registration, the same for every attempt
	certificate bytea not null,                 -- CERT.ECASD.ECKA
	ecasd_key bytea not null,                   -- SK.ECASD.ECKA under the KEK
	info bytea not null,                        -- EumSignedInfo, the octets that were signed
	signature bytea not null,                   -- EumSignature, canonical
	made_at timestamptz not null default now(),
	state text not null default 'submitted',    -- submitted, registered, refused
	answered_at timestamptz,
	code text not null default '',              -- subject/reason of a refusal
	message text not null default '',
	unique (batch, ord)
) with (fillfactor = 90);
create index card_state on card (batch, state);

-- Keys of the ISD-R under the KEK; plain only in the batch file.
create table card_key (
	eid text not null references card,
	version integer not null,
	idx integer not null,
	type integer not null,                      -- 85 PSK-TLS, 88 AES (hex)
	kcv bytea not null,
	wrapped bytea not null,
	primary key (eid, version, idx)
);

create table card_profile (
	iccid text primary key,
	eid text not null references card,
	ord integer not null,
	imsi text,
	msisdn text,
	unique (eid, ord)
);

-- Changes of additional properties on their way to the SM-SR.
create table property_update (
	id text primary key,                        -- a UUID
	eid text not null references card,
	created_at timestamptz not null default now(),
	state text not null default 'submitted',    -- submitted, done, refused
	answered_at timestamptz,
	code text not null default '',
	message text not null default ''
);
create index property_update_eid on property_update (eid, created_at);

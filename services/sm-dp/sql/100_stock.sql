-- Profile types, and the stock of ICCIDs that profiles are made from (decisions.md D6).

create table profile_type (
	mno text not null,                          -- OID of the operator
	name text not null,                         -- ProfileType of ES2
	package bytea not null,                     -- the template: a profile package, DER
	digest bytea not null,                      -- SHA-256 of all that was said of the type
	keys int2 not null,                         -- of its ISD-Ps, after a download: enum type_keys
	memory bigint not null,                     -- bytes that its ISD-P needs
	pol2 text not null,                         -- rules with blanks between: DISABLE:Not-Allowed
	address int2 not null,                      -- numbers that the SM-SR is told: bits of enum type_address
	created_at timestamptz not null default now(),
	primary key (mno, name)
);

create table stock_batch (
	mno text not null,
	name text not null,
	type text not null,
	wrap int2 not null,                         -- how its keys came: enum stock_wrap
	quantity integer not null,
	digest bytea not null,                      -- SHA-256 of the file
	imported_at timestamptz not null default now(),
	primary key (mno, name),
	foreign key (mno, type) references profile_type
);

create table stock (
	iccid text primary key,
	mno text not null,
	type text not null,
	batch text not null,
	line integer not null,                      -- of the batch's file
	imsi text not null constraint stock_imsi unique,
	msisdn text,
	state int2 not null default 0,              -- enum stock_state
	sent boolean not null default false,        -- its secrets left for a card once: no other card ever gets them
	eid text,                                   -- the card of its last reservation
	changed_at timestamptz not null default now(),
	foreign key (mno, batch) references stock_batch,
	unique (mno, batch, line)
) with (fillfactor = 90);
create index stock_free on stock (mno, type, iccid) where state = 0;
create index stock_eid on stock (eid) where eid is not null;

-- Keys under the KEK, bound to their ICCID and use.
create table stock_secret (
	iccid text not null references stock,
	use text not null,                          -- ki, opc, kic, kid, kik
	wrapped bytea not null,
	primary key (iccid, use)
);

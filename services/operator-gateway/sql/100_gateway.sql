-- The operator gateway: who may use the northbound API, which SM-SR manages which card.

-- Bearer tokens: 32 random bytes, of which only the digest is kept; so a plain hash is enough and the look-up by it leaks nothing.
create table api_token (
	name text primary key,
	role text not null check (role in ('reader', 'operator')),
	sha256 bytea not null unique,
	created_at timestamptz not null default now()
);

-- EID -> SM-SR (decisions.md D5).
create table euicc (
	eid text primary key,
	smsr text not null                          -- OID, an entity of the registry
);

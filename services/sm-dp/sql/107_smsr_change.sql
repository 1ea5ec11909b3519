-- Cards move to other SM-SRs, and the new one tells.

alter table isdp_keyset add column moved_at timestamptz; -- when the newest change of the card's SM-SR that we were told of was completed

-- Commands by SMS (decisions.md C6): a script that a card gets in a packet, instead of in a session.
alter table eis add column http boolean;   -- EuiccCapabilities.HttpSupport of what the EUM signed
update eis set http = convert_from(signed_info, 'UTF8') ~ '<([^<>:]+:)?HttpSupport>\s*(true|1)\s*</';
alter table eis alter http set not null;
alter table keyset add column unheard integer not null default 0; -- triggers that the card took and opened no session for, in a row
alter table card_command add column by_sms boolean not null default false; -- fetched: it is on its way in a packet of sms_out
create index card_command_sms on card_command (eid, session) where state = 1 and by_sms;
alter table sms_out add column session uuid; -- of the command that it carries; null: it is a trigger
create index sms_out_session on sms_out (eid, session) where session is not null;

-- Changes of properties that were answered go after KEEP_DAYS.
create index property_update_answered on property_update (answered_at) where answered_at is not null;

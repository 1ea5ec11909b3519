-- What brought a card here does not bring it a second time, when it has gone on: who asks so late has an older database, or slept.
alter table tombstone add column came_by uuid; -- the handover of its row in adopted; null: its EUM had registered it here

-- Which script a card's answer is about: its POST names the ticket. A card that lost our reply says the answer before once more.
alter table card_command add column ticket text; -- of the script as it was sent last; null: not sent, or before there were any

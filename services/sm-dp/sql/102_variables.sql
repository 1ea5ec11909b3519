-- Where what a profile type leaves open comes from, card by card; secrets drawn for it stand in stock_secret like those of a batch.

alter table profile_type add column variables text not null default ''; -- NAME=SOURCE, as type_variables_text writes them; empty: all as in the template

-- an order whose deployment nobody has answered waits for a person, who may still find that it is there
alter table orders drop constraint orders_status_check;
alter table orders add constraint orders_status_check check (status in ('PLACED', 'DELAYED', 'READY', 'FAILED'));
-- a place of the plan is kept for an order until it has failed
alter table orders add column reserved boolean not null default true;
update orders set reserved = false where status = 'FAILED';

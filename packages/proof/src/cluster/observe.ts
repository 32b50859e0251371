import { migrate } from '@steadfast/store'
import type pg from 'pg'

/** The observer writes down each change of an event's status, count or confirmation, in the transaction of the change. */
const OBSERVER = `
create schema proof;
create table proof.transition (
  number bigint generated always as identity, event_id uuid not null, at timestamptz not null default clock_timestamp(),
  "from" text, "to" text not null, due boolean not null, count integer not null, confirmed_by uuid
);
create function proof.observe() returns trigger language plpgsql as $$
begin
  insert into proof.transition (event_id, "from", "to", due, count, confirmed_by)
  values (new.id, case when tg_op = 'UPDATE' then old.status end, new.status, new.due, new.count, new.confirmed_by);
  return null;
end $$;
create trigger observe_insert after insert on steadfast.event for each row execute function proof.observe();
create trigger observe_update after update on steadfast.event for each row
  when (old.status <> new.status or old.count <> new.count or old.confirmed_by is distinct from new.confirmed_by)
  execute function proof.observe();
`

/** Makes the tables of a service before it starts, those of the workload, and the observer. */
export async function prepareDatabase(pool: pg.Pool, tables: string): Promise<void> {
  await migrate(pool)
  await pool.query(tables)
  await pool.query(OBSERVER)
}

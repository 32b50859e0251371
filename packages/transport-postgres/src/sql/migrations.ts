import type { Migration } from '@steadfast/events/migrations'

/** In order; released steps are never changed. */
export const MIGRATIONS: readonly Migration[] = [{ version: 1, name: 'log', sql: log }]

/** @param schema quoted */
function log(schema: string): string {
  return `
create table ${schema}.topic (
  name text primary key,
  partitions integer not null check (partitions between 1 and 1000),
  created_at timestamptz not null default clock_timestamp()
);

-- next_offset is taken under this row's lock by the publishing transaction: order of offsets is order of commits.
create table ${schema}.partition (
  id integer primary key generated always as identity,
  topic text not null references ${schema}.topic (name) on delete cascade,
  partition integer not null,
  first_offset bigint not null default 0,
  next_offset bigint not null default 0,
  unique (topic, partition)
) with (fillfactor = 30);

create table ${schema}.record (
  partition_id integer not null references ${schema}.partition (id) on delete cascade,
  "offset" bigint not null,
  key text not null,
  headers json not null,
  value bytea not null,
  at timestamptz not null,
  primary key (partition_id, "offset")
);

-- Offset and lease of a group's partition in one row, so that an offset and the proof of ownership are one update.
create table ${schema}.group_offset (
  group_name text not null,
  partition_id integer not null references ${schema}.partition (id) on delete cascade,
  "offset" bigint not null,
  owner uuid,
  generation bigint not null,
  expires_at timestamptz,
  primary key (group_name, partition_id)
) with (fillfactor = 30);

create table ${schema}.member (
  group_name text not null,
  id uuid not null,
  topics text[] not null,
  joined_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (group_name, id)
) with (fillfactor = 30);
`
}

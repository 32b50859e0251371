create table orders (
  id uuid primary key default gen_random_uuid(),
  -- for people and for paging; a rolled-back order leaves a gap
  number bigint not null unique generated always as identity,
  product text not null,
  plan text not null,
  parameters json,
  status text not null default 'PLACED' check (status in ('PLACED', 'READY', 'FAILED')),
  access json,
  reason text,
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz
);

create table deployment (
  -- the id of the event that asked for it: the token that makes every step idempotent
  id uuid primary key,
  order_id uuid not null,
  product text not null,
  plan text not null,
  parameters json not null,
  status text not null default 'WORKING' check (status in ('WORKING', 'READY', 'FAILED')),
  step text not null default 'check',
  attempts integer not null default 0,
  last_error text,
  -- due_at: when the step shall be tried; lease: who tries it, and until when nobody else may
  due_at timestamptz not null default clock_timestamp(),
  leased_by uuid,
  leased_until timestamptz,
  progress_at timestamptz not null default clock_timestamp(),
  access json,
  reason text,
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz
);
create index deployment_due on deployment (due_at) where status = 'WORKING';
create index deployment_progress on deployment (progress_at) where status = 'WORKING';
create index deployment_order on deployment (order_id);

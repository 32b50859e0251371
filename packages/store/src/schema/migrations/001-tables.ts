/** The tables. `s` is the validated schema name. Applied migrations are never edited; changes are new files. */
export const tables = (s: string) => `
create table ${s}.event (
  id uuid primary key,
  seq bigint not null generated always as identity (cache 1),
  lane smallint not null,
  source text not null,
  type text not null,
  topic text not null,
  key text not null,
  dataversion text,
  payload json not null,
  headers json not null,
  status text not null default 'NEW' constraint event_status check (status in ('NEW', 'PUBLISHED', 'CONFIRMED', 'PARKED', 'RESOLVED')),
  due boolean not null default true,
  replay boolean not null default false,
  count integer not null default 0,
  max_sends integer not null,
  awaits_from text,
  reply_to text,
  confirm_within_ms integer,
  resend_backoff real,
  deadline timestamptz,
  give_up_at timestamptz,
  causation_id uuid,
  correlation_id text not null,
  is_answer boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  published_at timestamptz,
  last_sent_at timestamptz,
  confirmed_at timestamptz,
  confirmed_by uuid,
  updated_at timestamptz not null default clock_timestamp(),
  park_reason text,
  last_error text
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index event_due on ${s}.event (seq) where due;
create index event_awaiting on ${s}.event (deadline) where status = 'PUBLISHED' and deadline is not null;
create index event_resending on ${s}.event (id) where due and count > 0 and not replay;
create index event_parked on ${s}.event (id) where status = 'PARKED';
create index event_caused on ${s}.event (causation_id) where causation_id is not null;

create table ${s}.inbox (
  consumer text not null,
  event_id uuid not null,
  arrival bigint not null generated always as identity (cache 1),
  state text not null constraint inbox_state check (state in ('DONE', 'RETRY', 'BLOCKED', 'HELD', 'REFUSED')),
  key text not null,
  topic text not null,
  position text not null,
  source text not null,
  type text not null,
  reply_to text,
  causation_id uuid,
  correlation_id text,
  envelope json not null,
  outcome smallint not null default 200,
  attempts integer not null default 0,
  due_at timestamptz,
  body bytea,
  error json,
  replay_id uuid,
  received_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  primary key (consumer, event_id)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create index inbox_unfinished on ${s}.inbox (consumer, key, arrival) where state in ('RETRY', 'BLOCKED', 'HELD');
create index inbox_stopped on ${s}.inbox (event_id) where state in ('HELD', 'REFUSED');

create table ${s}.relay (
  id uuid primary key,
  seen_at timestamptz not null default clock_timestamp()
);

create table ${s}.audit (
  id bigint primary key generated always as identity,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  event_id uuid,
  consumer text,
  note text,
  details json
);
create index audit_event on ${s}.audit (event_id) where event_id is not null;

create table ${s}.replay (
  id uuid primary key,
  consumer text not null,
  from_time timestamptz not null,
  until_time timestamptz not null,
  resend_answers boolean not null default false,
  requested_by text not null,
  requested_at timestamptz not null default clock_timestamp(),
  stopped_at timestamptz
);

create table ${s}.idempotency (
  scope text not null,
  key text not null,
  fingerprint text not null,
  status smallint,
  headers json,
  body bytea,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (scope, key)
);
create index idempotency_expiry on ${s}.idempotency (expires_at);
`

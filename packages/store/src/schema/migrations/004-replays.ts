/**
 * A replay knows how many deliveries it has, runs each of them once, and ends. Replays under way were started without
 * that knowledge: they are stopped.
 */
export const replays = (s: string): string => `
alter table ${s}.replay
  add column answers text constraint replay_answers check (answers in ('none', 'stored', 'corrected')),
  add column total integer not null default 0,
  add column missing integer,
  add column log_from timestamptz,
  add column pass integer not null default 0,
  add column pass_at timestamptz,
  add column pass_end text,
  add column ended_at timestamptz;
update ${s}.replay set stopped_at = clock_timestamp() where stopped_at is null;
create table ${s}.replay_item (
  replay_id uuid not null,
  event_id uuid not null,
  state text not null constraint replay_item_state check (state in ('DONE', 'FAILED')),
  error json,
  at timestamptz not null default clock_timestamp(),
  primary key (replay_id, event_id)
);
create index replay_item_event on ${s}.replay_item (event_id);
alter table ${s}.inbox add column logged_at timestamptz;
alter table ${s}.event add column supersedes uuid, add column superseded_by uuid;
`

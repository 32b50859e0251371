/**
 * What is due is read topic by topic, so that what waits for one topic is not in the way of others, and stored answers
 * that go out again are read apart from fresh events. A version of before reads the same rows, without their index.
 */
export const topics = (s: string) => `
alter table ${s}.event add column failing_since timestamptz, add column topic_unavailable_since timestamptz;
drop index ${s}.event_due;
create index event_due on ${s}.event (topic, seq) where due and not replay;
create index event_replaying on ${s}.event (topic, seq) where due and replay;
create index event_failing on ${s}.event (topic, failing_since) where failing_since is not null;
`

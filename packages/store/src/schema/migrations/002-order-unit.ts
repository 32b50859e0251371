/**
 * The unit of order in the inbox is (consumer, topic, key), and a delivery may wait for a process that knows its type.
 * The statements of the version before find their rows by the first column of the new index.
 */
export const orderUnit = (s: string): string => `
alter table ${s}.inbox drop constraint inbox_state;
alter table ${s}.inbox add constraint inbox_state check (state in ('DONE', 'RETRY', 'BLOCKED', 'UNKNOWN', 'HELD', 'REFUSED'));
drop index ${s}.inbox_unfinished;
create index inbox_unfinished on ${s}.inbox (consumer, topic, key, arrival) where state in ('RETRY', 'BLOCKED', 'UNKNOWN', 'HELD');
`

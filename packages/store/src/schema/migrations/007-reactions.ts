/**
 * Of a request that was parked or resolved: the change that its handler of what stays unanswered was given, and when that
 * handler last committed. Columns without a default need no rewrite of the table.
 */
export const reactions = (s: string) => `
alter table ${s}.event add column reacted_to text, add column reacted_at timestamptz;
`

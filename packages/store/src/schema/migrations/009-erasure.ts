/**
 * Of what a person had erased: when, and a hash of what was there. Columns without a default need no rewrite of the table.
 */
export const erasure = (s: string) => `
alter table ${s}.event add column erased_at timestamptz, add column erased_hash text;
alter table ${s}.inbox add column erased_at timestamptz, add column erased_hash text;
`

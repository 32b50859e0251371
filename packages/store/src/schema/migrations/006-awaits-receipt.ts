/**
 * Whether an event awaits a receipt, so that one confirms nothing else. Null: written by a process of an earlier version,
 * and not known. A column without a default needs no rewrite of the table.
 */
export const awaitsReceipt = (s: string) => `
alter table ${s}.event add column awaits_receipt boolean;
`

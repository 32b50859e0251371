/**
 * What is late is found topic by topic, and what is given up apart from it, however many rows of other topics are late.
 * The index of resends gets the topic as well; a version of before counts them without.
 */
export const sweep = (s: string) => `
create index event_late on ${s}.event (topic, deadline) where status = 'PUBLISHED' and not due and deadline is not null and count < max_sends;
create index event_used_up on ${s}.event (deadline) where status = 'PUBLISHED' and not due and deadline is not null and count >= max_sends;
drop index ${s}.event_resending;
create index event_resending on ${s}.event (topic, give_up_at) where due and count > 0 and not replay and status in ('PUBLISHED', 'PARKED');
`

/** SQL for behind `with recursive`: the distinct consumers of the inbox, hopping along the primary key instead of reading it all. */
export const consumers = (s: string): string => `consumers as (
  select min(consumer) as name from ${s}.inbox
  union all
  select (select min(i.consumer) from ${s}.inbox i where i.consumer > c.name) from consumers c where c.name is not null
)`

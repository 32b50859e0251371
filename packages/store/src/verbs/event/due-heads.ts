/** What is due, in the two parts that have an index each: fresh events, and stored answers that go out again. */
export const FRESH = 'e.due and not e.replay'
export const AGAIN = 'e.due and e.replay'

/**
 * A recursive common table expression, the topics with something of a part due. Hops along its index from one topic to
 * the next, so that many events of one cost no more than one.
 */
export const topicsOf = (s: string, name: string, part: string) =>
  `${name} as (
     (select e.topic from ${s}.event e where ${part} order by e.topic limit 1)
     union all
     select n.topic from ${name} h cross join lateral (
       select e.topic from ${s}.event e where ${part} and e.topic > h.topic order by e.topic limit 1
     ) n
   )`

/** What is due, at most so many rows of it, as a table expression without columns. */
export const someDue = (s: string, most: number) =>
  `(select from (
      (select from ${s}.event e where ${FRESH} limit ${most}) union all (select from ${s}.event e where ${AGAIN} limit ${most})
    ) parts limit ${most})`

/** `with recursive` and a CTE `first_due` of one row at most, the event with the lowest `seq` of what is due. */
export const firstDue = (s: string) => {
  const heads = (name: string, part: string) =>
    `select f.* from ${name} t cross join lateral (
       select * from ${s}.event e where ${part} and e.topic = t.topic order by e.seq limit 1) f`
  return `with recursive ${topicsOf(s, 'fresh_topic', FRESH)}, ${topicsOf(s, 'again_topic', AGAIN)},
   first_due as (
     select * from (${heads('fresh_topic', FRESH)} union all ${heads('again_topic', AGAIN)}) heads order by seq limit 1
   )`
}

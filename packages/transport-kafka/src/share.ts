/** A member of a group, as it presents itself when it joins. */
export interface Reader {
  id: string
  topics: readonly string[]
  /** How many partitions it knows each of its topics to have. */
  partitions: Readonly<Record<string, number>>
}

/** The partitions of each topic. */
export type Share = Record<string, number[]>

/**
 * Deals the partitions of each topic among those members who read it, and nobody else, evenly: each goes to the reader that
 * has the fewest so far, so that topics of one partition spread. The same members get the same shares, in whatever order
 * they are listed.
 */
export function dealPartitions(members: readonly Reader[]): Map<string, Share> {
  const readers = [...members].sort((a, b) => (a.id < b.id ? -1 : 1))
  const shares = new Map(readers.map(({ id }): [string, Share] => [id, Object.create(null)]))
  const counts = new Map(readers.map(({ id }): [string, number] => [id, 0]))
  for (const topic of [...new Set(readers.flatMap(({ topics }) => topics))].sort()) {
    const candidates = readers.filter(({ topics }) => topics.includes(topic))
    const partitions = Math.max(0, ...candidates.map(({ partitions: known }) => known[topic] ?? 0))
    for (let partition = 0; partition < partitions; partition++) {
      const [first, ...others] = candidates.map(({ id }) => id)
      if (first === undefined) break
      const least = others.reduce((a, b) => ((counts.get(b) ?? 0) < (counts.get(a) ?? 0) ? b : a), first)
      const share = shares.get(least) as Share
      share[topic] = [...(share[topic] ?? []), partition]
      counts.set(least, (counts.get(least) ?? 0) + 1)
    }
  }
  return shares
}

/** For a person: partitions that a member was given of topics that it does not read, as far as they are known. */
export function describeUnread(
  unread: readonly (readonly [topic: string, partitions: readonly number[] | undefined])[]
): string {
  const named = unread.map(([topic, partitions]) =>
    partitions === undefined ? topic : `${topic} (${partitions.toSorted((a, b) => a - b).join(', ')})`
  )
  return `was given partitions that it does not read, so that nobody does: ${named.join('; ')}`
}

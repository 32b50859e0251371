import { Type } from 'typebox'
import { InvalidOptions, instanceOption } from '../options.ts'

/** Which pool a plugin works with. */
export interface PoolChoice<P> {
  /** A pool of node-postgres, of yours: it is not ended. */
  pool?: P | undefined
  /** The name by which @fastify/postgres was registered. */
  pg?: string | undefined
}

/** The two options of {@link PoolChoice}, for a plugin's schema. */
export const poolOptions = <P>() => ({
  pool: Type.Optional(instanceOption<P>('a pool of node-postgres', ['connect', 'query', 'on', 'off'])),
  pg: Type.Optional(Type.String({ minLength: 1 }))
})

/**
 * The pool that a plugin works with: its own, that of a named @fastify/postgres, that of the outbox, or that of
 * @fastify/postgres without a name; the first that there is.
 *
 * @throws SF_OPTIONS_INVALID when both options are given, the name is not known, or there is no pool at all
 */
export function findPool<P>(fastify: object, owner: string, { pool, pg }: PoolChoice<P>): P {
  const host = fastify as { pg?: Record<string, unknown>; outbox?: { pool?: P } }
  if (pool !== undefined && pg !== undefined) throw new InvalidOptions(owner, 'give one of the options "pool" and "pg"')
  if (pool !== undefined) return pool
  if (pg === undefined) {
    const found = host.outbox?.pool ?? (host.pg?.pool as P | undefined)
    if (found !== undefined) return found
    throw new InvalidOptions(
      owner,
      `option "pool" or "pg" is needed, or register @fastify/postgres before it${namesIn(host.pg)}`
    )
  }
  const named = Object.hasOwn(host.pg ?? {}, pg) ? (host.pg?.[pg] as { pool?: P } | undefined)?.pool : undefined
  if (named === undefined)
    throw new InvalidOptions(owner, `option "pg": no @fastify/postgres is named "${pg}"${namesIn(host.pg)}`)
  return named
}

function namesIn(pg: Record<string, unknown> | undefined): string {
  const isNamed = (name: string) => (pg?.[name] as { pool?: unknown } | null | undefined)?.pool !== undefined
  const names = Object.keys(pg ?? {}).filter(isNamed)
  return names.length === 0 ? '' : `; there are ${names.map(name => `"${name}"`).join(', ')}`
}

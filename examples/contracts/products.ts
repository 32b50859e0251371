import { type Static, Type } from 'typebox'

/** What a plan of the product `postgres` grants. */
export const PostgresPlan = Type.Object({
  connections: Type.Integer({ minimum: 1, description: 'Connections at the same time' }),
  statementTimeoutMs: Type.Integer({ minimum: 1, description: 'A statement that takes longer is cancelled' }),
  idleInTransactionTimeoutMs: Type.Integer({ minimum: 1, description: 'A transaction that idles longer is ended' }),
  workMemMb: Type.Integer({ minimum: 1, description: 'Memory of one sort or hash' })
})
export type PostgresPlan = Static<typeof PostgresPlan>

/** The plans of `postgres`. `huge` asks for more than a small target server has: its order ends as FAILED. */
export const POSTGRES_PLANS = {
  small: { connections: 5, statementTimeoutMs: 5_000, idleInTransactionTimeoutMs: 10_000, workMemMb: 2 },
  medium: { connections: 20, statementTimeoutMs: 30_000, idleInTransactionTimeoutMs: 60_000, workMemMb: 8 },
  huge: { connections: 100_000, statementTimeoutMs: 600_000, idleInTransactionTimeoutMs: 600_000, workMemMb: 1024 }
} as const satisfies Record<string, PostgresPlan>

/** The simulated product: how long it takes and how often it fails. */
export const SleeperParameters = Type.Object(
  {
    durationMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400_000, description: 'Default 1000' })),
    failureRate: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'Default 0' }))
  },
  { additionalProperties: false }
)
export type SleeperParameters = Static<typeof SleeperParameters>

const Plan = Type.Object({ name: Type.String(), limits: Type.Optional(PostgresPlan) })
export type Plan = Static<typeof Plan>

/** A line of the catalogue. */
export const ProductSchema = Type.Object({
  name: Type.String(),
  description: Type.String(),
  plans: Type.Array(Plan)
})
export type Product = Static<typeof ProductSchema>

/** What market offers and deploy can provision. */
export const PRODUCTS: readonly Product[] = [
  {
    name: 'postgres',
    description: 'A PostgreSQL database with its own role',
    plans: Object.entries(POSTGRES_PLANS).map(([name, limits]) => ({ name, limits }))
  },
  {
    name: 'sleeper',
    description: 'Takes its time and does nothing: for making load. Parameters: durationMs, failureRate',
    plans: [{ name: 'simulated' }]
  }
]

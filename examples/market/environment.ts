import { ServiceEnvironment } from '@steadfast-examples/service'
import { type Static, Type } from 'typebox'

/** The environment variables of market. */
export const MarketEnvironment = Type.Object({
  ...ServiceEnvironment.properties,
  /** Where deploy's own reconciliation is, for comparing the ledgers. Absent: no comparison. */
  DEPLOY_URL: Type.Optional(Type.String({ minLength: 1 })),
  /** What market shows there: deploy's PEER_TOKEN. */
  DEPLOY_TOKEN: Type.Optional(Type.String({ minLength: 16 }))
})
export type MarketEnvironment = Static<typeof MarketEnvironment>

import { ServiceEnvironment } from '@steadfast-examples/service'
import { type Static, Type } from 'typebox'

/** The environment variables of deploy. */
export const DeployEnvironment = Type.Object({
  ...ServiceEnvironment.properties,
  /** The server on which databases are made: a role that may create databases and roles. */
  TARGET_DATABASE_URL: Type.String({ minLength: 1 }),
  /** Passwords of the databases are derived from it. */
  PROVISION_SECRET: Type.String({ minLength: 16 }),
  /** Names of databases and roles begin with it. */
  PROVISION_PREFIX: Type.String({ default: 'd_' }),
  /** How long a killed worker's deployments wait for another, in ms. */
  LEASE_MS: Type.Integer({ default: 60_000 }),
  WORKER_POLL_INTERVAL_MS: Type.Integer({ default: 250 }),
  /** Must be well below the askers' CONFIRM_WITHIN_MS. */
  PROGRESS_EVERY_MS: Type.Integer({ default: 30_000 })
})
export type DeployEnvironment = Static<typeof DeployEnvironment>

import { type Static, type TObject, Type } from 'typebox'
import { Value } from 'typebox/value'

/** The environment variables that every service here knows. Durations in ms. */
export const ServiceEnvironment = Type.Object({
  /** The service's own database. */
  DATABASE_URL: Type.String({ minLength: 1 }),
  HOST: Type.String({ default: '127.0.0.1' }),
  PORT: Type.Integer({ default: 0 }),
  LOG_LEVEL: Type.String({ default: 'info' }),
  TRANSPORT: Type.Union([Type.Literal('kafka'), Type.Literal('postgres')], { default: 'postgres' }),
  /** For `kafka`: host:port, separated by commas. */
  KAFKA_BROKERS: Type.String({ default: '127.0.0.1:9092' }),
  /** For `kafka`, both or neither: logs in by SASL PLAIN. Absent: the brokers ask for no login. */
  KAFKA_USERNAME: Type.Optional(Type.String()),
  KAFKA_PASSWORD: Type.Optional(Type.String()),
  /** For `postgres`: the database that holds the log, the same for all services. Default: the service's own. */
  TRANSPORT_DATABASE_URL: Type.Optional(Type.String()),
  /** Of topics that do not exist yet: a service creates those it consumes. */
  TOPIC_PARTITIONS: Type.Integer({ default: 6, minimum: 1 }),
  /** A consumer that was killed is replaced after so long. */
  CONSUMER_TIMEOUT_MS: Type.Integer({ default: 30_000, minimum: 1000 }),
  /** First deadline of an event that awaits an answer. */
  CONFIRM_WITHIN_MS: Type.Integer({ default: 120_000 }),
  /** Sends of one event in all, before it is parked. */
  MAX_SENDS: Type.Integer({ default: 6 }),
  SWEEP_INTERVAL_MS: Type.Integer({ default: 5_000 }),
  /** What waits for a topic that is missing or forbidden is parked after so long. */
  TOPIC_PATIENCE_MS: Type.Integer({ default: 86_400_000 }),
  /** Bearer token of a person at the reconciliation routes. Absent: nobody. */
  RECONCILIATION_TOKEN: Type.Optional(Type.String({ minLength: 16 })),
  /** Bearer token that another service shows to compare its ledger with this one's. Absent: none may. It opens nothing there. */
  PEER_TOKEN: Type.Optional(Type.String({ minLength: 16 }))
})
export type ServiceEnvironment = Static<typeof ServiceEnvironment>

/**
 * Reads the variables of a schema from the environment, with their defaults, as numbers and texts.
 *
 * @throws Error naming the variable that is missing or wrong
 */
export function readEnvironment<T extends TObject>(schema: T, env: NodeJS.ProcessEnv = process.env): Static<T> {
  const given = Object.fromEntries(
    Object.keys(schema.properties).flatMap(name => (env[name] ? [[name, env[name]]] : []))
  )
  const values = Value.Convert(schema, Value.Default(schema, given))
  const [error] = Value.Errors(schema, values)
  if (error !== undefined) throw new Error(`environment${error.instancePath.replace('/', ' ')} ${error.message}`)
  return values as Static<T>
}

import { createPostgresTransport, type PostgresTransportOptions } from '../src/index.ts'

/** What the suite's child process makes: the transport of the tests, with short times. */
export function create(options: PostgresTransportOptions) {
  return createPostgresTransport({
    leaseMs: 1000,
    pollIntervalMs: 50,
    publishTimeoutMs: 1000,
    maxBytes: 100_000,
    ...options
  })
}

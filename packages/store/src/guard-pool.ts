interface Emitter {
  on?(event: 'acquire', listener: (client: { on?(event: 'error', listener: () => void): unknown }) => void): unknown
}

const guarded = new WeakSet<object>()
const clients = new WeakSet<object>()

/**
 * A connection that breaks must not end the process. node-postgres emits 'error' on a client, and the pool takes its
 * own listener away before whoever asked for the client can add one: a connection that becomes ready and is closed by
 * the server in the same packet fails where nobody listens. From the first call on, every client of a `pg.Pool` has a
 * listener for as long as it lives; the statement under way, or the next one, fails all the same.
 */
export function guardPool(pool: object): void {
  if (guarded.has(pool)) return
  guarded.add(pool)
  ;(pool as Emitter).on?.('acquire', client => {
    if (clients.has(client)) return
    clients.add(client)
    client.on?.('error', ignore)
  })
}

function ignore() {}

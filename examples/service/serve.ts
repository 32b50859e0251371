import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { dropUnusedConnections } from './drop-unused-connections.ts'

export interface ServeOptions {
  host: string
  port: number
  /**
   * Time for requests, deliveries and sends in flight after SIGTERM or SIGINT, in ms. Default 29 s: what all plugins
   * together may take by their defaults, and less than the 30 s after which Kubernetes kills.
   */
  graceMs?: number
}

/** Listens until SIGTERM, SIGINT or an error that nobody caught; then closes within the deadline. */
export async function serve(app: FastifyInstance, { host, port, graceMs = 29_000 }: ServeOptions): Promise<void> {
  dropUnusedConnections(app)
  closeWithGrace({ delay: graceMs, logger: app.log }, async ({ err }) => {
    if (err) app.log.error(err, 'closing because of an error')
    await app.close()
  })
  await app.listen({ host, port })
}

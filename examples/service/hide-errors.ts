import type {} from '@steadfast/inbox'
import type {} from '@steadfast/reconciliation'
import type { FastifyError } from 'fastify'
import fp from 'fastify-plugin'

/** What a caller hears of what is not his fault. The log has the rest under the id. */
const HIDDEN = 'This failed through no fault of yours. The log has the reason under this request id.'

/**
 * Lets no host, statement or stack leave the service: of an error of 500 and more a caller hears its status, its code and the
 * id of his request. What he did wrong he hears as it is, and so does who may use reconciliation. Deliveries have no caller.
 */
export const hideErrors = fp(
  async app => {
    app.setErrorHandler((error: FastifyError, request, reply) => {
      const status = error.statusCode ?? (reply.statusCode >= 400 ? reply.statusCode : 500)
      const isForOperators = request.routeOptions.config.reconciliation !== undefined
      if (status < 500 || request.event !== undefined || isForOperators) return reply.send(error)
      request.log.error({ err: error }, 'a request failed')
      // A driver's code tells of the database.
      const code = /^(SF|FST)_/.test(error.code ?? '') ? error.code : 'INTERNAL_ERROR'
      const { headers } = error as { headers?: Record<string, string> }
      return reply
        .code(status)
        .headers(headers ?? {})
        .send({ statusCode: status, code, message: HIDDEN, requestId: request.id })
    })
  },
  { fastify: '5.x', name: 'hide-errors' }
)

import postgres from '@fastify/postgres'
import outbox from '@steadfast/outbox'
import reconciliation from '@steadfast/reconciliation'
import Fastify from 'fastify'

const users: Record<string, { name: string; rights: string[] }> = {
  'Bearer of-a-person': { name: 'ann', rights: ['read', 'payload', 'resend', 'resolve'] },
  'Bearer of-deploy': { name: 'deploy', rights: ['fates'] }
}

export const app = Fastify({ logger: true })
await app.register(postgres, { connectionString: process.env.DATABASE_URL })
await app.register(outbox, { source: 'market' })
await app.register(reconciliation, {
  prefix: '/reconciliation',
  authorize(request, right) {
    const user = users[request.headers.authorization ?? '']
    return user?.rights.includes(right) === true && { actor: user.name }
  },
  peers: {
    deploy: { url: 'http://deploy:3000/reconciliation', headers: () => ({ authorization: 'Bearer of-market' }) }
  }
})

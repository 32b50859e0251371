import { connectTransport, readEnvironment } from '@steadfast-examples/service'
import Fastify from 'fastify'
import t from 'tap'
import { MarketEnvironment } from '../environment.ts'

t.test('half a login is refused: it would be no login', async t => {
  for (const half of [{ KAFKA_USERNAME: 'market' }, { KAFKA_PASSWORD: 'password-of-market' }]) {
    const env = readEnvironment(MarketEnvironment, { DATABASE_URL: 'postgres://unused', TRANSPORT: 'kafka', ...half })
    await t.rejects(connectTransport(Fastify(), env), /KAFKA_USERNAME and KAFKA_PASSWORD need each other/)
  }
})

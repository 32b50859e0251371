import outbox from '@steadfast/outbox'
import inbox from '../../src/index.ts'
import { Counted } from './counted.ts'
import { serve } from './serve.ts'

await serve(process.env.CONSUMER_URL, async app => {
  await app.register(outbox, { source: 'counter', contracts: [] })
  await app.register(inbox, { retry: { quickRetryDelayMs: 10, delaysMs: [100] }, retryPollMs: 100 })
  app.onEvent(Counted, async request => {
    const { key, n } = request.body
    if (key === 'held') throw new Error('this key always fails')
    await request.tx.query('insert into effect (key, n) values ($1, $2)', [key, n])
  })
})

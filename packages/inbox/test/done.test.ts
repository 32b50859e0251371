import t from 'tap'
import { channels } from '../src/channels.ts'
import { takeIn } from '../src/consumer.ts'
import { kConsumers } from '../src/index.ts'
import { deliveryOf } from '../src/testing.ts'
import type { Consumer } from '../src/types.ts'
import { build, insertEffect, Task } from './helper.ts'

t.test('the transport is told that a delivery is done once, after what is known of it is committed', async t => {
  const { app } = await build(t, app => {
    app.onEvent(Task, { retry: { quickRetries: 0 } }, async (request, reply) => {
      await insertEffect(request.tx, request.body)
      return reply.code(request.body.n).send()
    })
  })
  const consumers = (app.inbox as unknown as { [kConsumers]: Map<string, Consumer> })[kConsumers]
  const consumer = consumers.get(app.inbox.group) as Consumer
  for (const [n, id, expected] of [
    [202, 'a', ['afterCommit', 'done']],
    [409, 'a', ['refused', 'done']],
    [500, 'a', ['setAside', 'done']],
    [202, 'a', ['afterCommit', 'done']]
  ] as const) {
    const seen: string[] = []
    const listeners = (['afterCommit', 'refused', 'setAside'] as const).map(name => {
      const listener = () => void seen.push(name)
      channels[name].subscribe(listener)
      return () => channels[name].unsubscribe(listener)
    })
    await takeIn(consumer, { ...deliveryOf(Task, { id, n }), done: () => void seen.push('done') })
    for (const stop of listeners) stop()
    t.same(seen, expected, String(n))
  }
})

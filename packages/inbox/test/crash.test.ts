import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { testDatabase, testKafka, until } from '@steadfast/dev-services'
import t, { type Test } from 'tap'
import { build, effects, events, inboxRow, RESULTS, send, TASKS, Task, TaskDone, transports } from './helper.ts'

// a busy machine takes its time
t.setTimeout(300_000)

const kafka = testKafka(t)

function child(t: Test, options: object): ChildProcess {
  const started = fork(new URL('crash-child.ts', import.meta.url).pathname, [
    JSON.stringify({ results: RESULTS, ...options })
  ])
  t.teardown(() => started.kill('SIGKILL'))
  return started
}

for (const { name, skip, transport } of transports(t).filter(({ name }) => name !== 'memory')) {
  for (const dieAt of [
    'steadfast:outbox:before-commit',
    'steadfast:outbox:after-commit',
    'steadfast:inbox:delivery-done'
  ].filter(seam => name === 'postgres' || seam === 'steadfast:outbox:after-commit')) {
    t.test(`SIGKILL at ${dieAt}: the effect once, the answer out (${name})`, { skip }, async t => {
      const database = await testDatabase(t)
      const log = await testDatabase(t)
      const tasks = `${TASKS}-${randomUUID()}`
      // The asker's side only publishes; its handlers are in another group.
      const { app, pool } = await build(t, () => {}, {
        database,
        source: 'driver',
        transport: transport(log.url),
        inbox: { ensureTopics: { partitions: 3 } },
        before: async a => void (await a.transport.ensureTopics([{ name: tasks, partitions: 3 }]))
      })
      const brokers = name === 'kafka' ? kafka?.brokers.join() : undefined
      const options = {
        tasks,
        group: `worker-${randomUUID()}`,
        url: database.url,
        log: log.url,
        ...(brokers && { brokers })
      }
      const victim = child(t, { ...options, dieAt })
      await once(victim, 'message')
      const id = await send(app, { ...Task, topic: tasks }, { id: randomUUID(), n: 1 })
      const [, signal] = await once(victim, 'exit')
      t.equal(signal, 'SIGKILL')
      const committed = dieAt !== 'steadfast:outbox:before-commit'
      t.equal((await effects(pool)).length, committed ? 1 : 0)
      const done: unknown[] = []
      child(t, options).on('message', message => message === 'done' && done.push(message))
      await until(
        async () =>
          done.length > 0 &&
          (await inboxRow(pool, id))?.state === 'DONE' &&
          (await events(pool, TaskDone.type)).some(e => e.due),
        {
          what: 'the answer is due',
          timeoutMs: 60_000
        }
      )
      t.equal((await effects(pool)).length, 1, 'the effect once')
      t.same(
        (await events(pool, TaskDone.type)).map(event => [event.causation_id, event.due, event.replay]),
        [[id, true, false]],
        'one answer: reading the same record again is nobody asking for it again'
      )
    })
  }
}

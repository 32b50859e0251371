import t from 'tap'
import { backoffMs, jitter, pause, serialQueue, settlesWithin, within } from '../src/runtime/index.ts'

const late = () => new Error('late')

t.test('within settles as the work does, or is late, and tells what the work comes to then', async t => {
  t.equal(await within(Promise.resolve(1), 10_000, late), 1)
  await t.rejects(within(Promise.reject(new Error('no')), 10_000, late), { message: 'no' })
  const { promise, resolve } = Promise.withResolvers<string>()
  const told = Promise.withResolvers<string>()
  await t.rejects(within(promise, 1, late, told.resolve), { message: 'late' })
  resolve('after all')
  t.equal(await told.promise, 'after all')
  const failing = Promise.withResolvers<never>()
  await t.rejects(within(failing.promise, 1, late), { message: 'late' })
  failing.reject(new Error('nobody hears of it'))
})

t.test('settlesWithin never rejects', async t => {
  t.equal(await settlesWithin(Promise.resolve(), 10_000), true)
  t.equal(await settlesWithin(Promise.reject(new Error('no')), 10_000), true)
  t.equal(await settlesWithin(new Promise(() => {}), 1), false)
})

t.test('a serial queue runs one after the other, also after one that failed', async t => {
  const queue = serialQueue()
  const begun: string[] = []
  const first = Promise.withResolvers<void>()
  const one = queue.run(async () => {
    begun.push('one')
    await first.promise
    throw new Error('no')
  })
  const two = queue.run(async () => {
    begun.push('two')
    return 2
  })
  t.equal(queue.pending, 2)
  await Promise.resolve()
  t.same(begun, ['one'])
  first.resolve()
  await t.rejects(one, { message: 'no' })
  t.equal(await two, 2)
  t.same(begun, ['one', 'two'])
  await queue.idle()
  t.equal(queue.pending, 0)
})

t.test('a rejection of a queue that nobody awaits does not end the process', async t => {
  const queue = serialQueue()
  void queue.run(() => Promise.reject(new Error('unheard')))
  await queue.idle()
  t.equal(queue.pending, 0)
})

t.test('pauses double up to the last, and are jittered down by up to half', async t => {
  const bounds = { firstMs: 100, lastMs: 1_000 }
  for (const [failures, most] of [
    [0, 100],
    [1, 200],
    [3, 800],
    [4, 1_000],
    [10_000, 1_000]
  ] as const) {
    const ms = backoffMs(failures, bounds)
    t.ok(ms >= most / 2 && ms <= most, `${failures}: ${ms}`)
  }
  const jittered = jitter(10)
  t.ok(jittered >= 5 && jittered <= 10)
  const ended = AbortSignal.abort()
  await pause(1_000_000, ended)
})

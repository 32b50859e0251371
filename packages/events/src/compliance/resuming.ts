import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { numbered } from './acknowledging.ts'
import type { ChildOrder, ChildReport } from './child.ts'
import type { Context } from './context.ts'
import { publishAll } from './context.ts'

/** A process acknowledges part of what it was given and is killed: the group goes on exactly behind that part. */
export async function resumeAfterKill(context: Context): Promise<void> {
  const { child } = context.fixture
  assert.ok(child, 'the fixture needs `child`, or the test must be skipped with a reason')
  const transport = await context.client()
  const topic = await context.topic(transport)
  const group = context.name('group')
  await publishAll(context, transport, numbered(topic, 1, 10))
  const acknowledged = await runAndKill(context, { ...child, topic, group, acknowledge: 4, total: 10 })
  assert.deepEqual(acknowledged, ['m1', 'm2', 'm3', 'm4'])
  const member = await context.join(transport, { topic, group })
  await member.received(6)
  assert.deepEqual(member.texts(), ['m5', 'm6', 'm7', 'm8', 'm9', 'm10'])
}

async function runAndKill(context: Context, order: ChildOrder): Promise<string[]> {
  const file = import.meta.url.endsWith('.ts') ? './child.ts' : './child.js'
  // Without the loaders of the test runner: the child runs no tests, and they slow its start.
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(order)], { execArgv: [] })
  const exited = once(child, 'exit')
  context.after(() => void child.kill('SIGKILL'))
  let report: ChildReport | undefined
  child.on('message', said => {
    report = said as ChildReport
  })
  const said = await context.until('the child to acknowledge', () => {
    if (child.exitCode !== null) throw new Error(`the child ended with ${child.exitCode}`)
    return report
  })
  child.kill('SIGKILL')
  await exited
  if (!said || 'failed' in said) throw new Error(`the child failed: ${said?.failed}`)
  return said.acknowledged
}

/** `close` waits for what is out, hands out nothing more, and gives up at the deadline; offsets are kept. */
export async function closeDeadline(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const group = context.name('group')
  await publishAll(context, transport, numbered(topic, 1, 4))
  const first = await context.join(await context.client(), { topic, group, maxInFlight: 2 })
  const out = await first.received(2)
  let closed = false
  const closing = first.subscription.close(60_000).then(() => {
    closed = true
  })
  out[0]?.done()
  assert.equal(closed, false, 'one delivery is still out')
  out[1]?.done()
  await closing
  assert.deepEqual(first.texts(), ['m1', 'm2'], 'nothing is handed out once close has begun')

  const second = await context.client()
  const member = await context.join(second, { topic, group })
  await member.received(2)
  assert.deepEqual(member.texts(), ['m3', 'm4'], 'what was done while closing is kept')
  await second.close(50)
  await second.close(50)
  for (const delivery of member.deliveries) delivery.done()

  const third = await context.join(await context.client(), { topic, group })
  await third.received(2)
  assert.deepEqual(third.texts(), ['m3', 'm4'], 'an acknowledgement after close is a no-op')
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { testKafka, until } from '../src/index.ts'

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function holdServer(kind: 'postgres' | 'kafka', end: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures', 'hold-server.ts'), kind, end], {
    stdio: ['pipe', 'pipe', 'ignore']
  })
  const exited = once(child, 'exit')
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, exited, ...(JSON.parse(line) as { pid: number; dir: string }) }
}

for (const end of ['SIGKILL', 'SIGTERM', 'SIGINT', 'throw', 'exit', 'return']) {
  t.test(`PostgreSQL ends with its parent: ${end}`, async t => {
    const { child, exited, pid, dir } = await holdServer('postgres', end)
    if (end.startsWith('SIG')) child.kill(end as NodeJS.Signals)
    await exited
    await until(() => !isAlive(pid) && !existsSync(dir), { what: 'the end of PostgreSQL and its directory' })
    t.pass()
  })
}

t.test('a stopped PostgreSQL ends with its parent', async t => {
  const { child, exited, pid, dir } = await holdServer('postgres', 'SIGKILL')
  process.kill(pid, 'SIGSTOP')
  child.kill('SIGKILL')
  await exited
  await until(() => !isAlive(pid) && !existsSync(dir), { what: 'the end of PostgreSQL and its directory' })
  t.pass()
})

const skip = testKafka(t) ? false : 'no Kafka: Java ≥ 17 and Maven needed'

t.test('Kafka ends with its parent: SIGKILL, while it is stopped', { skip }, async t => {
  const { child, exited, pid, dir } = await holdServer('kafka', 'SIGKILL')
  process.kill(pid, 'SIGSTOP')
  child.kill('SIGKILL')
  await exited
  await until(() => !isAlive(pid) && !existsSync(dir), { what: 'the end of Kafka and its directory' })
  t.pass()
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePort, testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'

t.test('the smallest example greets once for each request', async t => {
  const { url } = await testDatabase(t)
  const port = await freePort()
  const env = { ...process.env, DATABASE_URL: url, PORT: String(port) }
  const server = spawn(process.execPath, [join(import.meta.dirname, '../smallest.ts')], { env, stdio: 'ignore' })
  const ended = once(server, 'exit')
  t.teardown(async () => {
    server.kill('SIGKILL')
    await ended
  })
  const address = `http://127.0.0.1:${port}`
  await until(
    () =>
      fetch(`${address}/greetings`).then(
        answer => answer.ok,
        () => false
      ),
    { what: 'the server answers' }
  )
  for (const name of ['ann', 'bob']) t.equal((await fetch(`${address}/greet/${name}`, { method: 'POST' })).status, 202)
  const greetings = async () => (await (await fetch(`${address}/greetings`)).json()) as { name: string }[]
  await until(async () => (await greetings()).length === 2, { what: 'both are greeted' })
  t.same((await greetings()).map(({ name }) => name).sort(), ['ann', 'bob'])
})

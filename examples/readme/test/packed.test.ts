import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, installPacked, testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'

// every package is built, packed and installed
t.setTimeout(300_000)

const read = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8')

t.test(
  'the smallest example runs in an empty folder as the README says, on the packages as they are published',
  async t => {
    const block = /<!-- commands smallest -->\n```sh\n([\s\S]*?)```/.exec(read('../../../README.md'))?.[1] ?? ''
    const installed = /^npm install (.*)$/m.exec(block)?.[1]?.split(' ') ?? []
    const example = read('../smallest.ts')
    const imported = [...example.matchAll(/from '([^.'][^']*)'/g)].map(([, name]) => name ?? '')
    t.ok(imported.length > 0)
    t.strictSame(
      imported.filter(name => !installed.includes(name)),
      [],
      'what the example imports is installed'
    )

    const dir = mkdtempSync(join(tmpdir(), 'steadfast-smallest-'))
    t.teardown(() => rmSync(dir, { recursive: true, force: true }))
    const sh = async (line: string) => {
      const child = spawn('sh', ['-c', line], { cwd: dir, stdio: 'ignore' })
      t.equal((await once(child, 'exit'))[0], 0, line)
    }
    const [init = ''] = block.split('\n')
    await sh(init)
    await installPacked(
      dir,
      installed.filter(name => !name.startsWith('@steadfast/'))
    )
    cpSync(join(import.meta.dirname, '../smallest.ts'), join(dir, 'smallest.ts'))

    const { url } = await testDatabase(t)
    const port = await freePort()
    const env = { ...process.env, NODE_OPTIONS: '', DATABASE_URL: url, PORT: String(port) }
    const server = spawn(process.execPath, ['smallest.ts'], { cwd: dir, env, stdio: 'ignore' })
    const ended = once(server, 'exit')
    t.teardown(async () => {
      server.kill('SIGKILL')
      await ended
    })
    const calls = [...block.matchAll(/^curl (-X (\w+) )?localhost:3000(\S+)/gm)].map(
      ([, , method = 'GET', path = '']) => ({
        method,
        path
      })
    )
    t.same(
      calls.map(({ method }) => method),
      ['POST', 'GET']
    )
    const call = ({ method, path }: { method: string; path: string }) =>
      fetch(`http://127.0.0.1:${port}${path}`, { method })
    const [greet, list] = calls
    if (greet === undefined || list === undefined) return
    await until(
      () =>
        call(list).then(
          ({ ok }) => ok,
          () => false
        ),
      { what: 'the server answers', timeoutMs: 60_000 }
    )
    t.equal((await call(greet)).status, 202)
    const greetings = async () => (await (await call(list)).json()) as unknown[]
    await until(async () => (await greetings()).length > 0, { what: 'ann is greeted' })
    t.same(await greetings(), [{ name: 'ann' }])
  }
)

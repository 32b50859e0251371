import { accessSync, chownSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { freePort } from './free-port.ts'
import { startLifeline } from './lifeline.ts'
import { unprivilegedIds } from './postgres-binaries.ts'
import { until } from './until.ts'

export interface Pgbouncer {
  readonly port: number
  stop(): Promise<void>
}

/** Where the program is, e.g. from Debian's package `pgbouncer`; undefined when it is not installed. */
export function findPgbouncer(): string | undefined {
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return places
    .map(place => join(place, 'pgbouncer'))
    .find(path => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** Starts a pgbouncer in transaction mode before the PostgreSQL on that port, for all its databases. */
export async function launchPgbouncer(postgresPort: number, program = findPgbouncer()): Promise<Pgbouncer> {
  if (program === undefined) throw new Error('pgbouncer is not installed')
  const ids = await unprivilegedIds()
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'steadfast-pgbouncer-'))
  const config = join(dir, 'pgbouncer.ini')
  writeFileSync(
    config,
    `[databases]
* = host=127.0.0.1 port=${postgresPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits
`
  )
  if (ids !== undefined) for (const path of [dir, config]) chownSync(path, ids.uid, ids.gid)
  try {
    const lifeline = await startLifeline({
      command: [program, config],
      logFile: join(dir, 'pgbouncer.log'),
      removeDir: dir,
      endSignal: 'KILL',
      ids
    })
    await until(() => isListening(port), { what: 'pgbouncer listens' })
    return {
      port,
      async stop() {
        lifeline.signal('SIGTERM')
        await lifeline.ended()
        await lifeline.release()
      }
    }
  } catch (error) {
    rmSync(dir, { recursive: true, force: true })
    throw error
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    }).once('error', () => resolve(false))
  })
}

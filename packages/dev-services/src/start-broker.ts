import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, isPortFree } from './free-port.ts'
import { classArchive, java, jvmArguments } from './kafka-files.ts'
import { formatByTemplate, formatByTool, isFormatted, type KafkaPorts, serverProperties } from './kafka-storage.ts'
import { type Lifeline, startLifeline } from './lifeline.ts'
import { until } from './until.ts'

export interface KafkaOptions {
  /** Directory of the broker, kept after `stop()`; default: a temporary one, removed with the broker. */
  dir?: string
  /** Port of the client listener; default: a free port. */
  port?: number
  /** `host:port` that clients are told to connect to, for a proxy in front; default: the broker itself. */
  advertised?: string
  /**
   * Passwords of the users who may log in at the client listener, by SASL PLAIN without TLS; default: whoever comes is
   * let in. To itself the broker is `User:ANONYMOUS`: with an authorizer that must be a super user.
   */
  users?: Record<string, string>
  /** Lines of server.properties, over the launcher's. */
  properties?: Record<string, string | number | boolean>
  /** Maximum heap of the JVM; default `512m`. */
  heap?: string
}

export interface StopKafkaOptions {
  /** Orderly shutdown (0.4 s) instead of SIGKILL; default: only when the directory is kept. */
  graceful?: boolean
  /** Milliseconds after which an orderly shutdown becomes SIGKILL; default 10000. */
  timeoutMs?: number
}

export interface KafkaBroker {
  /** For the clients' broker list: the broker's own listener, whatever it advertises. */
  readonly brokers: string[]
  readonly port: number
  /** `data/`, `server.properties` and `broker.log`. */
  readonly dir: string
  readonly log: string
  readonly pid: number
  /** SIGKILL; resolves when the process has ended. */
  kill9(): Promise<void>
  /** The same broker again with its data, after `kill9()` or over a running one. */
  restart(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. Resolves when it has stopped; the signal reaches one thread after another. */
  pause(): Promise<void>
  /** SIGCONT. */
  resume(): void
  stop(options?: StopKafkaOptions): Promise<void>
}

export interface Training {
  jvmFlags: string[]
}

/** How many unfenced brokers a Metadata v1 request for no topic lists: 0 while the broker is not ready. */
function liveBrokers(port: number): Promise<number> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(Buffer.from('0000000e0003000100000001ffff00000000', 'hex'))
    })
    socket.setTimeout(2000, () => socket.destroy())
    socket.on('error', () => {})
    socket.once('close', () => resolve(0))
    socket.once('data', data => {
      resolve(data.length >= 12 ? data.readInt32BE(8) : 0)
      socket.destroy()
    })
  })
}

/** Whether each thread of a process is stopped, where the system tells (Linux). */
function isStopped(pid: number): boolean {
  const threads = `/proc/${pid}/task`
  if (!existsSync(threads)) return true
  // The state stands behind the name in parentheses. A thread that ends meanwhile does nothing any more.
  const stateOf = (thread: string) => {
    try {
      return readFileSync(`${threads}/${thread}/stat`, 'utf8').replace(/^.*\) /s, '')[0]
    } catch {
      return 'T'
    }
  }
  return readdirSync(threads).every(thread => stateOf(thread) === 'T')
}

async function startJvm(command: string[], port: number, log: string, removeDir: string | undefined) {
  const lifeline = await startLifeline({ command, logFile: log, removeDir, endSignal: 'KILL' })
  while ((await liveBrokers(port)) === 0) {
    if (lifeline.status !== undefined) {
      const tail = readFileSync(log, 'utf8').slice(-4000)
      await lifeline.release({ keep: true })
      throw new Error(`Kafka ended with status ${lifeline.status}:\n${tail}`)
    }
    await sleep(20)
  }
  return lifeline
}

async function writeConfiguration(dir: string, ports: KafkaPorts, options: KafkaOptions, training: boolean) {
  const data = join(dir, 'data')
  const config = join(dir, 'server.properties')
  writeFileSync(config, serverProperties(data, ports, options))
  if (training) await formatByTool(data, config)
  else if (!isFormatted(data)) formatByTemplate(data)
  return config
}

function brokerCommand(config: string, heap: string, training: Training | undefined): string[] {
  const archive = existsSync(classArchive) ? [`-XX:SharedArchiveFile=${classArchive}`] : []
  const flags = [`-Xmx${heap}`, '-XX:TieredStopAtLevel=1', ...(training?.jvmFlags ?? archive)]
  return [java, ...jvmArguments(...flags), 'kafka.Kafka', config]
}

/** Starts a broker from jars that are there already. `training` is the run that makes the archive and the template. */
export async function startBroker(options: KafkaOptions, training?: Training): Promise<KafkaBroker> {
  const port = options.port ?? (await freePort())
  if (!(await isPortFree(port))) throw new Error(`port ${port} is taken: Address already in use`)
  const ports = { client: port, inner: await freePort(), controller: await freePort() }
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'steadfast-kafka-'))
  const temporary = options.dir === undefined
  mkdirSync(dir, { recursive: true })
  const log = join(dir, 'broker.log')
  let command: string[]
  let lifeline: Lifeline
  // The client listener may want to know who asks.
  const asked = options.users === undefined ? ports.client : ports.inner
  const start = () => startJvm(command, asked, log, temporary ? dir : undefined)
  try {
    const config = await writeConfiguration(dir, ports, options, training !== undefined)
    command = brokerCommand(config, options.heap ?? '512m', training)
    lifeline = await start()
  } catch (error) {
    if (temporary) rmSync(dir, { recursive: true, force: true })
    throw error
  }
  const kill9 = async () => {
    lifeline.signal('SIGKILL')
    await lifeline.ended()
  }
  return {
    brokers: [`127.0.0.1:${port}`],
    port,
    dir,
    log,
    get pid() {
      return lifeline.pid
    },
    kill9,
    async restart() {
      await kill9()
      await lifeline.release({ keep: true })
      lifeline = await start()
    },
    async pause() {
      lifeline.signal('SIGSTOP')
      await until(() => isStopped(lifeline.pid), { what: 'the broker to stop' })
    },
    resume: () => lifeline.signal('SIGCONT'),
    async stop({ graceful = !temporary, timeoutMs = 10000 } = {}) {
      if (graceful) {
        lifeline.signal('SIGTERM')
        await Promise.race([lifeline.ended(), sleep(timeoutMs, undefined, { ref: false })])
      }
      await kill9()
      await lifeline.release({ keep: !temporary })
    }
  }
}

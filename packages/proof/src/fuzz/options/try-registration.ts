import Fastify, { type FastifyInstance } from 'fastify'
import type { Watch } from '../watch.ts'
import { type Mutated, optionsOf } from './mutated-options.ts'
import type { Ground, Target } from './targets.ts'

const CLOSE_MS = 10_000
const READY_MS = 15_000
const CODED = /^(?:SF|FST)_/
/** What the database says when an option that is allowed leaves it too little time. */
const TOO_SHORT = new Set(['57014', '25P03', '55P03'])

/** What became of a registration: whether it was refused, and what is wrong about that. */
export interface Verdict {
  refused: boolean
  wrong?: string
}

class Late extends Error {}

/** Registers a plugin with changed options on a server of its own, uses it if it will have them, and closes the server. */
export async function tryRegistration(
  target: Target,
  mutated: Mutated,
  ground: Ground,
  watch: Watch
): Promise<Verdict> {
  const app = Fastify()
  const needed = target.needed(ground)
  const options =
    target.within === undefined
      ? optionsOf(mutated, needed)
      : { ...needed, [target.within]: optionsOf(mutated, (needed[target.within] ?? {}) as Record<string, unknown>) }
  const verdict = await judge(app, target, mutated, options, ground)
  const closing = await settled(app.close(), CLOSE_MS)
  if (closing instanceof Error) verdict.wrong ??= `the server cannot be closed: ${say(closing)}`
  // A warning and an unhandled rejection are told in a later turn.
  await new Promise(setImmediate)
  const [trouble] = watch.take()
  if (trouble !== undefined) verdict.wrong ??= trouble
  return verdict
}

async function judge(
  app: FastifyInstance,
  target: Target,
  { changes }: Mutated,
  options: object,
  ground: Ground
): Promise<Verdict> {
  await target.before(app, ground)
  const registered = await settled(register(app, target, options), READY_MS)
  if (registered instanceof Error)
    return {
      refused: true,
      ...unlessExplained(
        registered,
        changes.map(({ name }) => name),
        target
      )
    }
  const wrong = changes.find(({ mustRefuse }) => mustRefuse)
  if (wrong !== undefined) return { refused: false, wrong: `it takes the option ${JSON.stringify(wrong.name)}` }
  const used = await settled(target.use(app, options as Record<string, unknown>), READY_MS)
  if (!(used instanceof Error)) return { refused: false }
  const { code } = used as { code?: string }
  if (code !== undefined && (CODED.test(code) || TOO_SHORT.has(code))) return { refused: false }
  if (used.message === 'Query read timeout' && isHurried(changes)) return { refused: false }
  return { refused: false, wrong: `it takes the options, and then cannot work: ${say(used)}` }
}

/** Whether a duration among the options leaves the database less than a second. */
const isHurried = (changes: Mutated['changes']) =>
  changes.some(({ name, value }) => name.endsWith('Ms') && Number(value) < 1000)

async function register(app: FastifyInstance, { plugin, declare }: Target, options: object): Promise<void> {
  await app.register(plugin, options as never)
  declare?.(app)
  await app.ready()
}

/** A refusal has a code and names an option that was changed. */
function unlessExplained(error: Error, names: string[], target: Target): { wrong?: string } {
  const { code = '', message } = error as { code?: string } & Error
  if (!CODED.test(code)) return { wrong: `it refuses without a code of its own: ${say(error)}` }
  const spoken = message.toLowerCase()
  const isNamed = [...names, ...(target.within ? [target.within] : [])].some(name =>
    spoken.includes(name.toLowerCase())
  )
  return isNamed ? {} : { wrong: `it refuses without naming the option: ${code} ${message.slice(0, 300)}` }
}

async function settled(work: Promise<unknown> | PromiseLike<unknown>, ms: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Error>(resolve => {
    timer = setTimeout(() => resolve(new Late(`not done within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    return error instanceof Error ? error : new Error(`what was thrown is no error: ${String(error)}`)
  } finally {
    clearTimeout(timer)
  }
}

function say(error: Error): string {
  const [first = '', ...frames] = (error.stack ?? error.message).split('\n')
  const ours = frames.filter(frame => !frame.includes('node_modules')).slice(0, 6)
  return [`${(error as { code?: string }).code ?? 'no code'} ${first.slice(0, 300)}`, ...ours].join('\n')
}

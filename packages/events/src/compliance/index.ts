import type { Transport } from '../transport.ts'
import * as acknowledging from './acknowledging.ts'
import { type Context, createContext } from './context.ts'
import * as ordering from './ordering.ts'
import * as publishing from './publishing.ts'
import * as reading from './reading.ts'
import * as resuming from './resuming.ts'
import * as rewinding from './rewinding.ts'
import type { ComplianceOptions, TestContext, TransportFixture } from './types.ts'

export type { ComplianceOptions, Faults, Heal, Reporter, Skip, TestContext, TransportFixture } from './types.ts'

type Capabilities = Transport['capabilities']

interface ComplianceTest {
  run: (context: Context) => Promise<void>
  /** Whether the capabilities promise this; `undefined` where they say nothing of it. */
  promised?: (capabilities: Capabilities) => boolean | undefined
}

const ordered = ({ order }: Capabilities) => order === 'key'
const rewindable = ({ rewind }: Capabilities) => rewind

const tests = {
  'per-key order under partial failure': { run: ordering.orderUnderPartialFailure, promised: ordered },
  'order is commit order with two open publishers': { run: ordering.commitOrder, promised: ordered },
  'per-message results': { run: publishing.perMessageResults },
  'a missing topic fails alone': { run: publishing.missingTopic },
  'unknown outcome': { run: publishing.unknownOutcome },
  oversize: { run: publishing.oversize, promised: c => (c.maxBytes === undefined ? undefined : true) },
  'publish never rejects': { run: publishing.neverRejects },
  'an aborted signal settles publish': { run: publishing.abortSettles },
  'done() out of order': { run: acknowledging.doneOutOfOrder },
  'done() after revocation is a no-op': { run: acknowledging.doneAfterRevocation },
  maxInFlight: { run: acknowledging.maxInFlight },
  'what runs ahead of an unfinished delivery is bounded': { run: acknowledging.runAhead },
  'pause and resume': { run: acknowledging.pauseAndResume },
  'resume after SIGKILL': { run: resuming.resumeAfterKill },
  'close deadline': { run: resuming.closeDeadline },
  'rewind to the beginning': { run: rewinding.rewindToBeginning, promised: rewindable },
  'rewind to a time': { run: rewinding.rewindToTime, promised: rewindable },
  'rewind never goes forward': { run: rewinding.neverForward, promised: rewindable },
  'a lagging group that rewinds loses nothing': { run: rewinding.laggingGroup, promised: rewindable },
  'rewind to what is no time is refused': { run: rewinding.refusesNoTime, promised: rewindable },
  'two groups both see everything': { run: reading.twoGroups },
  'members of one group may read different topics': { run: reading.differentTopics },
  'bytes and headers exact': { run: reading.exactBytes },
  'keys are bytes': { run: reading.keysAreBytes },
  'a new group starts at the beginning': { run: reading.newGroup },
  lag: { run: reading.lag },
  'lag up to an end': { run: reading.lagUpTo }
} satisfies Record<string, ComplianceTest>

/** The name of a test of the suite. */
export type ComplianceTestName = keyof typeof tests

/** The names of the suite's tests. */
export const complianceTests = Object.keys(tests) as ComplianceTestName[]

/**
 * Runs the tests that every {@link Transport} passes, one after the other, against one broker.
 *
 * A deviation is declared with `skip`. Rejects before any test when a skip names an unknown test, or when skips and
 * `capabilities` disagree: what is promised cannot be skipped, what is denied must be.
 *
 * @example
 * await transportCompliance(t, () => ({ create: () => createMyTransport({ url }) }), {
 *   skip: [{ reason: 'the broker has no fault hook', tests: ['unknown outcome'] }]
 * })
 */
export async function transportCompliance(
  t: TestContext,
  factory: () => TransportFixture | Promise<TransportFixture>,
  options: ComplianceOptions = {}
): Promise<void> {
  const skipped = readSkips(options)
  const fixture = await factory()
  try {
    assertAgreement(await capabilitiesOf(fixture), skipped)
    for (const [name, { run }] of Object.entries<ComplianceTest>(tests)) {
      await t.test(name, { skip: skipped.get(name) ?? false }, async reporter => {
        await runOne(fixture, run)
        reporter.pass?.(name)
      })
    }
  } finally {
    await fixture.cleanup?.()
  }
}

async function runOne(fixture: TransportFixture, run: ComplianceTest['run']): Promise<void> {
  const { context, end } = createContext(fixture)
  const limitMs = 4 * (fixture.timeoutMs ?? 20_000)
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not finished within ${limitMs} ms: some call never settled`)), limitMs)
  })
  try {
    await Promise.race([run(context), limit])
  } finally {
    clearTimeout(timer)
    await end()
  }
}

async function capabilitiesOf(fixture: TransportFixture): Promise<Capabilities> {
  const transport = await fixture.create()
  const { capabilities } = transport
  await transport.close(1000)
  return capabilities
}

function readSkips({ skip = [] }: ComplianceOptions): Map<string, string> {
  const skipped = new Map<string, string>()
  for (const { reason, tests: names } of skip) {
    if (!reason) throw new Error('transportCompliance: a skip needs a reason')
    for (const name of names) {
      if (!Object.hasOwn(tests, name))
        throw new Error(`transportCompliance: unknown test "${name}"; known are ${complianceTests.join(', ')}`)
      skipped.set(name, reason)
    }
  }
  return skipped
}

function assertAgreement(capabilities: Capabilities, skipped: Map<string, string>): void {
  for (const [name, { promised }] of Object.entries<ComplianceTest>(tests)) {
    const promise = promised?.(capabilities)
    if (promise === true && skipped.has(name)) {
      throw new Error(`transportCompliance: "${name}" is skipped, but the transport's capabilities promise it`)
    }
    if (promise === false && !skipped.has(name)) {
      throw new Error(`transportCompliance: the transport's capabilities deny "${name}": skip it and say why`)
    }
  }
}

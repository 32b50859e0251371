import t from 'tap'
import type { ComplianceTestName } from '../src/compliance/index.ts'
import { complianceTests, transportCompliance } from '../src/compliance/index.ts'
import type { TransportFixture } from '../src/compliance/types.ts'
import { type Defect, memoryBroker } from './memory-transport.ts'

const skip = [{ reason: 'the broker lives in this process', tests: ['resume after SIGKILL'] }]

function fixture(defect?: Defect, timeoutMs = 5000): TransportFixture {
  const { create, state, write } = memoryBroker(defect)
  const inflict = async (fault: keyof typeof state) => {
    state[fault] = true
    return () => {
      state[fault] = false
    }
  }
  return {
    create,
    foreign: write,
    timeoutMs,
    faults: { loseAcknowledgements: () => inflict('answersLost'), away: () => inflict('away') }
  }
}

/** Runs the suite under a runner that only notes which tests fail. */
async function failures(defect: Defect): Promise<string[]> {
  const failed: string[] = []
  const runner = {
    async test(name: string, options: { skip?: string | false }, run: (t: object) => Promise<void>) {
      if (!options.skip) await run({}).catch(() => failed.push(name))
    }
  }
  await transportCompliance(runner, () => fixture(defect, 150), { skip })
  return failed
}

t.test('a transport in memory passes', t => transportCompliance(t, fixture, { skip }))

const noticed: Record<Defect, ComplianceTestName> = {
  'appends behind a refused message': 'per-key order under partial failure',
  'answers for the batch': 'per-message results',
  'keeps to itself what a failure is about': 'a missing topic fails alone',
  'creates any topic': 'a missing topic fails alone',
  'calls a lost answer unavailable': 'unknown outcome',
  'takes any size': 'oversize',
  rejects: 'publish never rejects',
  'ignores the signal': 'an aborted signal settles publish',
  'offset is the highest done': 'done() out of order',
  'stale done counts': 'done() after revocation is a no-op',
  'ignores maxInFlight': 'maxInFlight',
  'runs ahead without bound': 'what runs ahead of an unfinished delivery is bounded',
  'ignores pause': 'pause and resume',
  'close forgets offsets': 'close deadline',
  'close does not wait': 'close deadline',
  'rewind does nothing': 'rewind to a time',
  'rewind goes forward': 'rewind never goes forward',
  'rewind takes any time': 'rewind to what is no time is refused',
  'groups share offsets': 'two groups both see everything',
  'gives partitions to who does not read them': 'members of one group may read different topics',
  'loses headers': 'bytes and headers exact',
  'keys are text': 'keys are bytes',
  'new group starts at the end': 'a new group starts at the beginning',
  'interleaves publishers badly': 'order is commit order with two open publishers',
  'lag ignores what is out': 'lag',
  'lag ignores its end': 'lag up to an end'
}

// They wait rather than work, so they run side by side.
t.jobs = 6

for (const [defect, name] of Object.entries(noticed)) {
  t.test(`a transport that ${defect} fails: ${name}`, { buffered: true }, async t => {
    const failed = await failures(defect as Defect)
    t.ok(failed.includes(name), `failed: ${failed.join(', ')}`)
  })
}

t.test('skips are checked before anything runs', async t => {
  const runner = { test: () => t.fail('no test may run') }
  const run = (tests: string[], reason = 'because') =>
    transportCompliance(runner, () => fixture(), { skip: [{ reason, tests }] })
  await t.rejects(run(['oversise']), { message: /unknown test "oversise"/ })
  await t.rejects(run(['rewind to a time']), { message: /capabilities promise it/ })
  await t.rejects(run(['oversize']), { message: /capabilities promise it/ })
  await t.rejects(run(['lag'], ''), { message: /needs a reason/ })
})

t.test('what the capabilities deny must be skipped', async t => {
  const denying = (): TransportFixture => {
    const plain = fixture()
    const create = async () => {
      const transport = await plain.create()
      return { ...transport, capabilities: { ...transport.capabilities, order: 'none' as const } }
    }
    return { ...plain, create }
  }
  const runner = { test: () => t.fail('no test may run') }
  await t.rejects(transportCompliance(runner, denying, { skip }), {
    message: /deny "per-key order under partial failure"/
  })
})

t.test('the fixture is cleaned up, and clients are closed, also when tests fail', async t => {
  let open = 0
  let cleaned = false
  const counting = (): TransportFixture => {
    const plain = fixture('ignores pause', 150)
    return {
      ...plain,
      cleanup() {
        cleaned = true
      },
      async create() {
        const transport = await plain.create()
        open++
        let closed = false
        const close = async (deadlineMs: number) => {
          if (!closed) open--
          closed = true
          await transport.close(deadlineMs)
        }
        return { ...transport, close }
      }
    }
  }
  const runner = {
    test: async (_: string, o: object, run: (t: object) => Promise<void>) =>
      'skip' in o && o.skip ? 0 : run({}).catch(() => 0)
  }
  await transportCompliance(runner, counting, { skip })
  t.equal(open, 0)
  t.equal(cleaned, true)
  t.ok(complianceTests.length >= 15)
})

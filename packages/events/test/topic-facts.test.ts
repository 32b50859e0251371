import t from 'tap'
import { adviseOnTopic, type TopicFacts, type TopicNeeds, warnOfTopics } from '../src/index.ts'

const DAY = 86_400_000
const sound: TopicFacts = {
  name: 'orders',
  retentionMs: 7 * DAY,
  retentionBytes: Number.POSITIVE_INFINITY,
  segmentMs: 7 * DAY,
  isCompacted: false,
  maxMessageBytes: 1_048_588,
  replicas: 3,
  minInSync: 2,
  brokers: 3
}
const all: TopicNeeds = { sendsBytes: 921_600, reads: { knowsForMs: 14 * DAY } }

t.test('a topic with sound settings, or of which nothing is known, needs no advice', async t => {
  t.strictSame(adviseOnTopic(sound, all), [])
  t.strictSame(adviseOnTopic({ name: 'orders' }, all), [])
  t.strictSame(adviseOnTopic({ ...sound, replicas: 1, minInSync: 1, brokers: 1 }, all), [], 'a cluster of one')
  t.strictSame(adviseOnTopic({ ...sound, retentionMs: Number.POSITIVE_INFINITY }, { sendsBytes: 1 }), [])
})

const cases: [Partial<TopicFacts>, TopicNeeds, RegExp][] = [
  [{ isCompacted: true }, {}, /compacted/],
  [{ retentionMs: 3_600_000 }, {}, /for 1 h only/],
  [{ retentionBytes: 1000 }, {}, /more than 1000 bytes/],
  [{ maxMessageBytes: 930_000 }, all, /takes 930000 bytes, and the outbox payloads of 921600/],
  [{ replicas: 1, minInSync: 1 }, all, /1 of 3 copies/],
  [{ replicas: 1, minInSync: 1, brokers: 2 }, all, /1 of 2 copies/],
  [{ minInSync: 1 }, all, /one copy is enough/],
  [{ minInSync: 3 }, all, /nothing can be sent while one of its brokers is away/],
  [{ retentionMs: 8 * DAY }, all, /for up to 15 days, and the inbox knows them for 14 days/],
  [{ retentionMs: Number.POSITIVE_INFINITY }, all, /for up to ever/]
]
for (const [changed, needs, words] of cases)
  t.test(`${JSON.stringify(changed)} is told of`, async t => {
    const advice = adviseOnTopic({ ...sound, ...changed }, needs)
    t.equal(advice.length, 1, advice.join('\n'))
    t.match(advice[0], words)
  })

t.test('what is only read needs no copies, what is only sent is not read again', async t => {
  const { sendsBytes, reads } = all
  t.strictSame(
    adviseOnTopic(
      { ...sound, replicas: 1, minInSync: 1, maxMessageBytes: 1 },
      { reads: reads ?? { knowsForMs: undefined } }
    ),
    []
  )
  t.strictSame(adviseOnTopic({ ...sound, retentionMs: 90 * DAY }, { sendsBytes: sendsBytes ?? 0 }), [])
})

t.test('each advice is one warning that names the topic; a broker that is away is no error', async t => {
  const lines: [object, string][] = []
  const log = { warn: (about: object, text: string) => void lines.push([about, text]), debug: () => {} }
  const { signal } = new AbortController()
  const describeTopics = async () => [{ ...sound, isCompacted: true, retentionBytes: 5 }, { name: 'other' }]
  const needs = new Map([
    ['orders', all],
    ['other', all]
  ])
  await warnOfTopics({ describeTopics }, needs, { log, signal })
  t.strictSame(
    lines.map(([about]) => about),
    [{ topic: 'orders' }, { topic: 'orders' }]
  )
  t.ok(lines.every(([, text]) => text.startsWith('topic orders: ')))
  await warnOfTopics({}, needs, { log, signal })
  const closing = new AbortController()
  const asked = Promise.withResolvers<void>()
  const away = async () => {
    asked.resolve()
    throw new Error('away')
  }
  const looking = warnOfTopics({ describeTopics: away }, needs, { log, signal: closing.signal })
  await asked.promise
  closing.abort()
  await looking
  t.equal(lines.length, 2)
})

import t from 'tap'
import { Type } from 'typebox'
import { type Awaits, defineEvent, type EventData, RefusedSignal, sendersOf } from '../src/index.ts'

const data = Type.Object({ orderId: Type.String(), size: Type.Optional(Type.Integer()) })
const good = { type: 'market.ordered', topic: 'orders', data }

t.test('a contract', async t => {
  const Ordered = defineEvent({ ...good, key: d => d.orderId, awaits: { from: 'deploy' } })
  const Answer = defineEvent({ type: 'deploy.done', topic: 'answers', data: Type.Object({}), answers: Ordered })
  t.equal(Ordered.type, 'market.ordered')
  t.equal(Answer.answers?.type, 'market.ordered')
  t.ok(Object.isFrozen(Ordered))
  const typed: EventData<typeof Ordered> = { orderId: 'a' }
  t.equal(Ordered.key?.(typed), 'a')
})

t.test('data are checked as they are: no coercion, no defaults', async t => {
  const Ordered = defineEvent({ ...good, data: Type.Object({ n: Type.Integer({ default: 1 }), s: Type.String() }) })
  t.equal(Ordered.refusal({ n: 1, s: '' }), undefined)
  t.match(Ordered.refusal({ s: '' }), /required/)
  t.match(Ordered.refusal({ n: '1', s: '' }), /^\/n must be integer/)
  t.match(Ordered.refusal({ n: 1, s: null }), /^\/s must be string/)
  for (const wrong of [null, undefined, [], 'x', 3]) t.match(Ordered.refusal(wrong), /^data must be object/)
})

t.test('data that are nested more deeply than their contract can follow are refused', async t => {
  const Node = Type.Cyclic({ Node: Type.Object({ of: Type.Optional(Type.Ref('Node')) }) }, 'Node')
  const Nested = defineEvent({ ...good, data: Node, key: undefined as never })
  const nested = (levels: number, core: string) => JSON.parse('{"of":'.repeat(levels) + core + '}'.repeat(levels))
  t.equal(Nested.refusal(nested(10, '{}')), undefined)
  t.match(Nested.refusal(nested(10, '1')), /must be object/)
  t.match(Nested.refusal(nested(100_000, '{}')), /^data is nested too deeply$/)
})

t.test('names', async t => {
  const code = 'SF_EVENTS_CONTRACT_INVALID'
  for (const topic of ['a', 'A.b-c_d.1', 'x'.repeat(200)]) defineEvent({ ...good, topic })
  for (const topic of ['', '.a', '-a', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(201), 7, undefined])
    t.throws(() => defineEvent({ ...good, topic: topic as string }), { code }, `topic ${JSON.stringify(topic)}`)
  for (const type of ['a', '.a', 'a b', 'com.example/Told$', 'ä', 'x'.repeat(255)]) defineEvent({ ...good, type })
  for (const type of ['', 'a\n', 'a\u0000', '\ud800', '\u0085', 'x'.repeat(256), 7, undefined])
    t.throws(() => defineEvent({ ...good, type: type as string }), { code }, `type ${JSON.stringify(type)}`)
  t.throws(() => defineEvent({ ...good, type: 'steadfast.mine' }), { message: /reserved/ })
  t.equal(RefusedSignal.type, 'steadfast.refused')
})

t.test('what is not a schema, and what is no way to wait', async t => {
  t.throws(() => defineEvent({ ...good, data: undefined as never }), { message: /TypeBox schema/ })
  const wrong: Partial<Record<keyof Awaits, unknown>>[] = [
    { from: '' },
    { from: 7 },
    { confirmWithinMs: 0 },
    { confirmWithinMs: 1.5 },
    { confirmWithinMs: 2 ** 31 },
    { confirmWithinMs: Number.NaN },
    { maxSends: 0 },
    { maxSends: '6' },
    { maxSends: 2 ** 31 },
    { giveUpAfterMs: -1 },
    { giveUpAfterMs: Number.MAX_SAFE_INTEGER },
    { resendBackoff: 0.5 },
    { resendBackoff: 1001 },
    { resendBackoff: Number.NaN }
  ]
  for (const awaits of wrong) {
    const definition = { ...good, awaits: { from: 'deploy', ...awaits } as Awaits }
    const [name] = Object.keys(awaits)
    t.throws(
      () => defineEvent(definition),
      { code: 'SF_EVENTS_CONTRACT_INVALID', message: `awaits.${name}` },
      JSON.stringify(awaits)
    )
  }
  defineEvent({
    ...good,
    awaits: { from: 'deploy', maxSends: 1, confirmWithinMs: 1, giveUpAfterMs: 1, resendBackoff: 1 }
  })
})

t.test('who may send it', async t => {
  const Asked = defineEvent({ ...good, awaits: { from: 'deploy' } })
  t.equal(sendersOf(Asked), undefined, 'anybody')
  t.same(sendersOf(defineEvent({ ...good, answers: Asked })), ['deploy'], 'whoever is awaited')
  t.same(sendersOf(defineEvent({ ...good, answers: Asked, from: ['a', 'b'] })), ['a', 'b'])
  t.same(sendersOf(defineEvent({ ...good, from: 'market' })), ['market'])
  t.equal(sendersOf(defineEvent({ ...good, answers: defineEvent(good) })), undefined)
  for (const from of ['', [], [''], 7, ['a', 7], null, {}])
    t.throws(
      () => defineEvent({ ...good, from: from as string }),
      { code: 'SF_EVENTS_CONTRACT_INVALID', message: /from must name/ },
      JSON.stringify(from)
    )
})

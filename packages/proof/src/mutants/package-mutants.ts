import type { Mutant } from './mutant.ts'

const relay = (file: string, find: string, replace: string) => ({
  file: `packages/relay/src/${file}.ts`,
  find,
  replace
})
const inbox = (file: string, find: string, replace: string) => ({
  file: `packages/inbox/src/${file}.ts`,
  find,
  replace
})
const migrations = (file: string, find: string, replace: string) => ({
  file: `packages/events/src/migrations/${file}.ts`,
  find,
  replace
})
const sweeper = (file: string, find: string, replace: string) => ({
  file: `packages/sweeper/src/${file}.ts`,
  find,
  replace
})
const byTest = (file: string) => ({ test: `packages/${file}.test.ts` })

/** Defects of what drives the statements: a test of the package finds them. */
export const packageMutants: readonly Mutant[] = [
  {
    name: 'rewind-forward',
    invariant: [2, 'a rewind never goes forward'],
    edits: [
      {
        file: 'packages/transport-postgres/src/sql/rewind-offsets.ts',
        find: ' and found."offset" < g."offset"',
        replace: ''
      }
    ],
    catchBy: byTest('transport-postgres/test/compliance')
  },
  {
    name: 'any-group-answers',
    invariant: [8, 'a duplicate at another group sends nothing'],
    edits: [inbox('duplicate', '  if (!consumer.isOwn) return\n', '')],
    catchBy: byTest('inbox/test/replay')
  },
  {
    name: 'mark-before-send',
    invariant: [2, 'every committed row is sent, or parked'],
    edits: [
      relay(
        'drain',
        '        const results = await sendBatch(',
        '        await markSent(context, batch, inFlight, tally)\n        const results = await sendBatch('
      )
    ],
    catchBy: byTest('relay/test/failures')
  },
  {
    name: 'failed-batch-treated-as-sent',
    invariant: [2, 'every committed row is sent, or parked'],
    edits: [
      relay(
        'send-batch',
        'return messages.map(() => unknown(error as Error))',
        'return messages.map(() => ({ ok: error !== undefined }) as PublishResult)'
      )
    ],
    catchBy: byTest('relay/test/failures')
  },
  {
    name: 'failed-send-counts',
    invariant: [7, 'count is the number of acknowledged sends'],
    edits: [
      relay('mark-sent', 'return batch.filter((_, i) => results[i]?.ok)', 'return batch.filter((_, i) => results[i])')
    ],
    catchBy: [byTest('relay/test/failures'), byTest('sweeper/test/resend')]
  },
  {
    name: 'failed-key-sent-on',
    invariant: [4, 'first-seen order per key equals commit order'],
    edits: [
      relay(
        'drain',
        'events.filter(event => !stopped.has(event))',
        'events.filter(event => stopped.has(event) || true)'
      )
    ],
    catchBy: byTest('relay/test/order')
  },
  {
    name: 'failing-topic-read-on',
    invariant: [6, 'one topic that takes nothing keeps no other waiting'],
    edits: [
      relay(
        'drain',
        'excludeTopics: [...topics.shut(), ...tried]',
        'excludeTopics: [...topics.shut(), ...tried].slice(0, 0)'
      )
    ],
    catchBy: byTest('relay/test/topics')
  },
  {
    name: 'ill-topic-stops-all',
    invariant: [6, 'one topic that takes nothing keeps no other waiting'],
    edits: [relay('settle-failures', 'return outcomes.length > 1 ||', 'return outcomes.length > 0 ||')],
    catchBy: byTest('relay/test/topics')
  },
  {
    name: 'probe-holds-up-all',
    invariant: [6, 'one topic that keeps the broker busy keeps no other waiting'],
    edits: [
      relay(
        'create-relay',
        "if (how === 'scheduled') return",
        "if (topics.toProbe(1).length > 0) await probed()\n    if (how === 'scheduled') return"
      )
    ],
    catchBy: byTest('relay/test/topics')
  },
  {
    name: 'heartbeat-ignored',
    invariant: [7, 'relays share the lanes: one send per event while all is well'],
    edits: [
      relay(
        'heartbeat',
        'lanes = ALL_LANES.filter(lane => lane % living.length === index)',
        'lanes = ALL_LANES.filter(lane => lane % living.length === index || true)'
      )
    ],
    catchBy: byTest('relay/test/lanes')
  },
  {
    name: 'sweep-by-the-clock',
    invariant: [6, "nothing stays unfinished: sweeps come whatever the process's clock says"],
    edits: [
      sweeper('start-schedule', '  let failing = false\n', '  let failing = false\n  let at = Date.now()\n'),
      sweeper(
        'start-schedule',
        'intervalMs * (0.9 + Math.random() / 10)',
        'Math.max(0, (at += intervalMs) - Date.now())'
      )
    ],
    catchBy: byTest('sweeper/test/lifecycle')
  },
  {
    name: 'failing-sweep-untold',
    invariant: [11, 'what cannot work says so'],
    edits: [sweeper('create-sweeper', 'problem = databaseProblem(error)', 'problem = undefined')],
    catchBy: byTest('sweeper/test/lifecycle')
  },
  {
    name: 'late-mark-read-again',
    invariant: [7, 'one send per event while all is well, also while its row is locked'],
    edits: [relay('drain', '[...inFlight, ...late.seqs()]', '[...inFlight]')],
    catchBy: byTest('relay/test/failures')
  },
  {
    name: 'ill-relay-keeps-lanes',
    invariant: [6, 'nothing stays unfinished: a relay that cannot send leaves its lanes to others'],
    edits: [relay('heartbeat', 'canSend() ? join() : standBack()', 'canSend() ? join() : join()')],
    catchBy: byTest('relay/test/lanes')
  },
  {
    name: 'lanes-once-per-drain',
    invariant: [6, 'nothing stays unfinished: the lanes of a dead relay are taken over while another is busy'],
    edits: [
      relay(
        'create-relay',
        "if (how === 'scheduled') return drained(context)",
        "if (how === 'scheduled') return drained({ ...context, lanes: (lanes => async () => lanes)(await heart.lanes()) })"
      )
    ],
    catchBy: byTest('relay/test/lanes')
  },
  {
    name: 'offset-before-commit',
    invariant: [2, 'the offset advances after the effect: a crash in between loses nothing'],
    edits: [
      inbox('consume', '    const accepted = await route(', '    delivery.done()\n    const accepted = await route(')
    ],
    catchBy: byTest('inbox/test/done')
  },
  {
    name: 'inbox-row-outside-transaction',
    invariant: [2, 'effect and inbox row commit together'],
    edits: [
      inbox('handle', 'const db = storeOn(request.tx, context.consumer.schema)', 'const db = context.consumer.db')
    ],
    catchBy: [byTest('inbox/test/outcomes'), byTest('inbox/test/zombie')]
  },
  {
    name: 'key-goes-on-while-head-retries',
    invariant: [4, 'first-seen order per key equals commit order'],
    edits: [inbox('consume', 'consumer.chains.run(row, () => runToEnd(consumer, item))', 'runToEnd(consumer, item)')],
    catchBy: byTest('inbox/test/order')
  },
  {
    name: 'slow-type-runs-on',
    invariant: [6, 'a type that fails for many keys is slowed down'],
    edits: [inbox('slow-types', 'if (now < slow.probeAt) return false', 'if (now < 0) return false')],
    catchBy: byTest('inbox/test/poison-bursts')
  },
  {
    name: 'waits-in-memory',
    invariant: [6, 'a key that waits holds no places of others'],
    edits: [inbox('decide', 'const IN_MEMORY_WAITS = 3', 'const IN_MEMORY_WAITS = 30')],
    catchBy: byTest('inbox/test/waiting')
  },
  {
    name: 'retry-after-uncapped',
    invariant: [6, 'nothing waits for longer than an hour because a handler says so'],
    edits: [inbox('retry-after', 'if (asked > LONGEST_WAIT_MS)', 'if (asked > Number.MAX_VALUE)')],
    catchBy: byTest('inbox/test/waiting')
  },
  {
    name: 'conflicts-for-ever',
    invariant: [6, 'a transaction that is in the way of others is not retried for ever'],
    edits: [inbox('decide', 'if (conflicts > CONFLICT_RUNS)', 'if (conflicts > 3 * CONFLICT_RUNS)')],
    catchBy: byTest('inbox/test/waiting')
  },
  {
    name: 'failing-probe-keeps-gate',
    invariant: [6, 'a group finds its way back when the world is right again'],
    edits: [
      inbox(
        'decide',
        "return { deed: 'run-again', afterMs, ...good, history: { ...history, failures",
        "return { deed: 'run-again', afterMs, breaker: { says: 'neutral' }, history: { ...history, failures"
      ),
      inbox('decide', "failures: 0 }, breaker: { says: 'good' } }", "failures: 0 }, breaker: { says: 'neutral' } }")
    ],
    catchBy: byTest('inbox/test/world')
  },
  {
    name: 'slow-key-delays-retries',
    invariant: [6, 'a delivery that takes long keeps no other from being retried'],
    edits: [inbox('retry', 'await Promise.race(look.running)', 'await Promise.all(look.running)')],
    catchBy: byTest('inbox/test/retry-pool')
  },
  {
    name: 'delivery-route-reachable',
    invariant: [3, 'every effect traces back to a committed outbox row'],
    edits: [
      inbox(
        'context',
        'if (context === undefined || context.routed) return undefined',
        'if (context?.routed === null) return undefined'
      )
    ],
    catchBy: byTest('inbox/test/unreachable')
  },
  {
    name: 'delivery-route-reachable-from-handlers',
    invariant: [3, 'every effect traces back to a committed outbox row'],
    edits: [
      inbox(
        'context',
        'if (context === undefined || context.routed) return undefined',
        'if (context === undefined) return undefined'
      )
    ],
    catchBy: byTest('inbox/test/unreachable')
  },
  {
    name: 'refusal-untold',
    invariant: [6, 'a refused request is parked at its sender, not resent until it times out'],
    edits: [
      inbox(
        'apply',
        '    if (signal !== undefined) await host.outbox.control(tx).write(signal)\n    parked = await parkAnswered(',
        '    parked = await parkAnswered('
      )
    ],
    catchBy: byTest('inbox/test/signals')
  },
  {
    name: 'commit-tag-unchecked',
    invariant: [1, 'every 2xx has its rows'],
    edits: [
      {
        file: 'packages/outbox/src/transaction.ts',
        find: "if (lent.status() === 'E' || unsent !== undefined)",
        replace: 'if (unsent !== undefined)'
      },
      {
        file: 'packages/outbox/src/transaction.ts',
        find: "enter(command === 'COMMIT' ? 'committed' : 'rolledBack')",
        replace: "enter('committed')"
      },
      {
        file: 'packages/outbox/src/transaction.ts',
        find: "  if (command !== 'COMMIT') throw notCommitted()\n",
        replace: "  if (command === '') throw notCommitted()\n"
      }
    ],
    catchBy: byTest('outbox/test/swallowed-error')
  },
  {
    name: 'client-released-twice',
    invariant: [1, 'every 2xx has its rows: no two requests share a connection'],
    edits: [
      {
        file: 'packages/store/src/pool.ts',
        find: '    client.release(destroy || lost !== undefined)\n',
        replace:
          '    client.release(destroy || lost !== undefined)\n    setImmediate(() => { try { client.release() } catch {} })\n'
      }
    ],
    catchBy: byTest('outbox/test/mix')
  },
  {
    name: 'error-answer-commits',
    invariant: [1, 'every definite error has neither row'],
    edits: [
      {
        file: 'packages/outbox/src/route.ts',
        find: 'if (statusCode >= 400 && !routeSettings',
        replace: 'if (statusCode >= 600 && !routeSettings'
      }
    ],
    catchBy: byTest('outbox/test/both-or-neither')
  },
  {
    name: 'idempotency-key-of-any-request',
    invariant: [1, 'an answer belongs to its request'],
    edits: [
      {
        file: 'packages/idempotency-key/src/index.ts',
        find: 'if (begun.fingerprint !== fingerprint) throw new KeyReused()',
        replace: 'if (begun.fingerprint === undefined) throw new KeyReused()'
      }
    ],
    catchBy: byTest('idempotency-key/test/replay')
  },
  {
    name: 'kafka-offset-of-any-done',
    invariant: [2, 'the offset is the end of the contiguous prefix of what is done'],
    edits: [
      {
        file: 'packages/transport-kafka/src/contiguous-prefix.ts',
        find: '      if (places[head] !== place) return false\n',
        replace: '      while (places[head] !== place && places[head]) head++\n'
      }
    ],
    catchBy: byTest('transport-kafka/test/contiguous-prefix')
  },
  {
    name: 'kafka-delivers-what-was-aborted',
    invariant: [1, 'an effect is of what its sender has committed'],
    edits: [
      {
        file: 'packages/transport-kafka/src/platformatic/read-records.ts',
        find: 'aborting.delete(producer)',
        replace: 'waiting.length = 0'
      }
    ],
    catchBy: byTest('transport-kafka/test/read-records')
  },
  {
    name: 'kafka-unpacks-without-bound',
    invariant: [6, 'nothing stays unfinished: one message does not take the memory of all'],
    edits: [
      {
        file: 'packages/transport-kafka/src/platformatic/read-records.ts',
        find: '  if (size > limit) throw',
        replace: '  if (size > limit * limit) throw'
      }
    ],
    catchBy: byTest('transport-kafka/test/read-records')
  },
  {
    name: 'kafka-markers-are-lag',
    invariant: [6, 'nothing stays unfinished: a replay ends behind markers'],
    edits: [
      {
        file: 'packages/transport-kafka/src/assignment.ts',
        find: 'prefix?.done(prefix.add(next))',
        replace: 'prefix?.add(next)'
      }
    ],
    catchBy: byTest('transport-kafka/test/assignment')
  },
  {
    name: 'postgres-offset-of-any-done',
    invariant: [2, 'the offset is the end of the contiguous prefix of what is done'],
    edits: [
      {
        file: 'packages/transport-postgres/src/prefix.ts',
        find: 'entry?.done; entry = queue[head]',
        replace: 'entry; entry = queue[head]'
      }
    ],
    catchBy: byTest('transport-postgres/test/prefix')
  },
  {
    name: 'key-that-is-no-text-dropped',
    invariant: [4, 'first-seen order per key equals commit order'],
    edits: [inbox('decode-delivery', 'return text ?? keyIdOf(key)', 'return text ?? id')],
    catchBy: byTest('inbox/test/binary-keys')
  },
  {
    name: 'kafka-topic-failure-unnamed',
    invariant: [2, 'every committed row is sent, or parked'],
    edits: [
      {
        file: 'packages/transport-kafka/src/classify-error.ts',
        find: "ABOUT_TOPIC.has(nameIn(error) ?? '') ? 'topic' : undefined",
        replace: "ABOUT_TOPIC.has(nameIn(error) ?? '') ? undefined : undefined"
      }
    ],
    catchBy: byTest('transport-kafka/test/classify-error')
  },
  {
    name: 'postgres-creates-what-must-exist',
    invariant: [2, 'every committed row is sent, or parked'],
    edits: [
      {
        file: 'packages/transport-postgres/src/publish.ts',
        find: '(message.mustExist ?? false) === mustExist',
        replace: '(message.mustExist === null) === mustExist'
      }
    ],
    catchBy: byTest('transport-postgres/test/compliance')
  },
  {
    name: 'postgres-runs-ahead-without-bound',
    invariant: [2, 'what comes again after a crash is bounded'],
    edits: [
      {
        file: 'packages/transport-postgres/src/deliver.ts',
        find: 'if (ask.prefix.ahead >= farthest) stopped.add(ask.prefix)',
        replace: 'if (ask.prefix.ahead < 0) stopped.add(ask.prefix)'
      }
    ],
    catchBy: byTest('transport-postgres/test/compliance')
  },
  {
    name: 'kafka-partitions-to-who-does-not-read-them',
    invariant: [2, 'every partition is read by a member that reads its topic'],
    edits: [
      {
        file: 'packages/transport-kafka/src/share.ts',
        find: 'const candidates = readers.filter(({ topics }) => topics.includes(topic))',
        replace: 'const candidates = readers'
      }
    ],
    catchBy: byTest('transport-kafka/test/share')
  },
  {
    name: 'reconciliation-open',
    invariant: [14, 'administrative actions are those of whom the authorizer allows'],
    edits: [
      {
        file: 'packages/reconciliation/src/guard.ts',
        find: 'if (allowed === false) throw new Forbidden(right)',
        replace: 'if (right === undefined) throw new Forbidden(right)'
      }
    ],
    catchBy: byTest('reconciliation/test/access')
  },
  {
    name: 'person-under-the-machines-name',
    invariant: [14, 'the audit tells a person from the machine'],
    edits: [
      {
        file: 'packages/reconciliation/src/actor.ts',
        find: 'if (plain === RESERVED)',
        replace: 'if (actor === RESERVED)'
      }
    ],
    catchBy: byTest('reconciliation/test/actors')
  },
  {
    name: 'refusals-untold',
    invariant: [14, 'a refused attempt leaves a trace'],
    edits: [
      { file: 'packages/reconciliation/src/guard.ts', find: '    refusals.note(request, right, error)\n', replace: '' }
    ],
    catchBy: byTest('reconciliation/test/refused')
  },
  {
    name: 'payload-to-every-reader',
    invariant: [14, 'who sees data may see them, and stands in the audit'],
    edits: [
      {
        file: 'packages/reconciliation/src/guard.ts',
        find: '      if (!isRefusal(error)) throw error\n',
        replace: '      viewers.add(request)\n'
      }
    ],
    catchBy: byTest('reconciliation/test/payloads')
  },
  {
    name: 'unmasked-on-failure',
    invariant: [14, 'where masking fails nothing is shown'],
    edits: [
      {
        file: 'packages/reconciliation/src/show-data.ts',
        find: '    // The error may quote the data.\n',
        replace: '    return row.payload\n'
      }
    ],
    catchBy: byTest('reconciliation/test/payloads')
  },
  {
    name: 'sweep-without-budget',
    invariant: [6, 'resends do not starve fresh events: the backlog is worked off'],
    edits: [
      {
        file: 'packages/store/src/verbs/event/sweep-events.ts',
        find: 'limit budget.resends',
        replace: 'limit 1000000000'
      }
    ],
    catchBy: { histories: 'event', count: 2000 }
  },
  {
    name: 'unknown-type-refused-at-once',
    invariant: [2, 'every committed event has its effect where a process of the group knows it'],
    edits: [
      inbox(
        'consume',
        'return await leaveFresh(consumer, fresh, handler)',
        'return await (row.type === raw.toString() ? leaveFresh(consumer, fresh, handler) : refuseRaw(consumer, fresh, handler))'
      )
    ],
    catchBy: byTest('inbox/test/unlike-processes')
  },
  {
    name: 'newer-version-handled',
    invariant: [2, 'data of a newer version wait for a process that knows it'],
    edits: [inbox('data-version', 'return difference > 0', 'return difference > difference')],
    catchBy: byTest('inbox/test/unlike-processes')
  },
  {
    name: 'newer-schema-locks-out',
    invariant: [6, 'after a migration that only widens, an old version starts'],
    edits: [
      migrations('schema-state', 'if (version > known && compatibleFrom > known) throw', 'if (version > known) throw')
    ],
    catchBy: byTest('store/test/migrate-versions')
  },
  {
    name: 'last-step-alone-judges',
    invariant: [1, 'a version does not run on a schema that a step has locked it out of'],
    edits: [migrations('schema-state', 'coalesce(max($', 'coalesce(min($')],
    catchBy: byTest('store/test/migrate-versions')
  },
  {
    name: 'migration-waits-for-ever',
    invariant: [6, 'a migration stops nobody for longer than its lock timeout'],
    edits: [
      migrations(
        'run-migrations',
        'read committed; set local lock_timeout = ',
        'read committed; set local statement_timeout = 0; --'
      )
    ],
    catchBy: byTest('store/test/migrate-locks')
  },
  {
    name: 'broken-index-stays',
    invariant: [1, 'an index is whole before its step is noted'],
    edits: [migrations('index-change', "if (state === 'valid') return", "if (state !== 'none') return")],
    catchBy: byTest('store/test/migrate-indexes')
  },
  {
    name: 'id-without-source',
    invariant: [2, 'each event has its effect: the one of another source with the same id too'],
    edits: [
      {
        file: 'packages/store/src/verbs/inbox/find-known.ts',
        find: 'row.source === delivery.source && row.type',
        replace: 'row.type'
      }
    ],
    catchBy: byTest('inbox/test/trust')
  },
  {
    name: 'any-topic-believed',
    invariant: [3, 'every effect traces back to a committed outbox row'],
    edits: [inbox('believe', 'topic !== contract.topic', "topic === ''")],
    catchBy: byTest('inbox/test/trust')
  },
  {
    name: 'any-source-believed',
    invariant: [3, 'every effect traces back to a committed outbox row'],
    edits: [inbox('believe', 'senders === undefined || senders', 'senders === undefined || true || senders')],
    catchBy: byTest('inbox/test/trust')
  },
  {
    name: 'bystander-refuses',
    invariant: [6, 'a request is parked by a refusal of whom it asks, and of nobody else'],
    edits: [
      inbox('answers', 'contract.awaits?.from === consumer.host.outbox.source', 'contract.awaits?.from !== null')
    ],
    catchBy: byTest('inbox/test/trust')
  },
  {
    name: 'any-reply-address',
    invariant: [3, 'a service writes where its options let it'],
    edits: [inbox('believe', '.includes(replyTo) && TOPIC', '.includes(replyTo) || TOPIC')],
    catchBy: byTest('inbox/test/trust')
  },
  {
    name: 'key-of-another-source',
    invariant: [3, 'a signature counts for the source whose key it is'],
    edits: [
      {
        file: 'packages/events/src/signature.ts',
        find: 'Object.hasOwn(keys, source) ? keys[source] : undefined',
        replace: 'Object.assign({}, ...Object.values(keys))'
      }
    ],
    catchBy: byTest('inbox/test/trust')
  }
]

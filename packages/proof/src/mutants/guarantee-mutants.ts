import type { Mutant } from './mutant.ts'

const inFile = (file: string, find: string, replace: string) => ({ file: `packages/${file}.ts`, find, replace })
const byTest = (file: string) => ({ test: `packages/${file}.test.ts` })

/** Defects that break a guarantee each: a test that GUARANTEES.md names for it finds them. */
export const guaranteeMutants: readonly Mutant[] = [
  {
    name: 'commit-before-other-hooks',
    invariant: [1, 'every definite error has neither row'],
    edits: [
      inFile(
        'outbox/src/route',
        'route.onSend = [...others(route.onSend, endOnSend), endOnSend]',
        'route.onSend = [endOnSend, ...others(route.onSend, endOnSend)]'
      )
    ],
    catchBy: byTest('outbox/test/on-send-hook')
  },
  {
    name: 'lost-commit-called-a-failure',
    invariant: [1, 'every definite error has neither row: an outcome that nobody knows is called so'],
    edits: [
      inFile(
        'outbox/src/transaction',
        'if (lent.lost === undefined && sqlStateOf(error) !== undefined) {',
        'if (lent.lost !== undefined || sqlStateOf(error) !== undefined) {'
      )
    ],
    catchBy: byTest('outbox/test/connection-killed')
  },
  {
    name: 'idempotency-key-outside-transaction',
    invariant: [1, 'an answer belongs to its request: the key is taken and answered with its effect'],
    edits: [
      inFile(
        'idempotency-key/src/index',
        'const db = storeOn(request.tx, schema)',
        'const db = storeOn(pool as never, schema)'
      )
    ],
    catchBy: byTest('idempotency-key/test/concurrent')
  },
  {
    name: 'repetitions-wait',
    invariant: [11, 'no transaction left open: a request that waits for another holds no connection'],
    edits: [
      inFile(
        'store/src/verbs/idempotency/begin-idempotent',
        'pg_try_advisory_xact_lock(hashtextextended(json_build_array($6::text, $1::text, $2::text)::text, 0)) as got',
        'pg_advisory_xact_lock(hashtextextended(json_build_array($6::text, $1::text, $2::text)::text, 0)) is not null as got'
      )
    ],
    catchBy: byTest('idempotency-key/test/concurrent')
  },
  {
    name: 'principal-not-awaited',
    invariant: [1, 'an answer belongs to its request: no caller is given that of another'],
    edits: [inFile('idempotency-key/src/name-key', 'await principal(request)', 'JSON.stringify(principal(request))')],
    catchBy: byTest('idempotency-key/test/principal')
  },
  {
    name: 'principal-not-hashed',
    invariant: [1, 'every 2xx has its rows, whoever asks: a key of any length fits into the index'],
    edits: [
      inFile(
        'idempotency-key/src/name-key',
        '  return hashOf([...whose, key])',
        '  return JSON.stringify([...whose, key])'
      )
    ],
    catchBy: byTest('idempotency-key/test/principal')
  },
  {
    name: 'fingerprint-without-body',
    invariant: [1, 'an answer belongs to its request'],
    edits: [
      inFile(
        'idempotency-key/src/fingerprint',
        "headers['content-encoding'] ?? '', body]",
        "headers['content-encoding'] ?? '']"
      )
    ],
    catchBy: byTest('idempotency-key/test/fingerprint')
  },
  {
    name: 'unseen-body-is-none',
    invariant: [1, 'an answer belongs to its request: of two uploads each has its own'],
    edits: [inFile('idempotency-key/src/fingerprint', 'hashes.get(raw)?.() :', "(hashes.get(raw)?.() ?? '') :")],
    catchBy: byTest('idempotency-key/test/fingerprint')
  },
  {
    name: 'last-send-left-out',
    invariant: [7, 'parked by time-out implies count = max_sends'],
    edits: [
      inFile(
        'store/src/verbs/event/sweep-events',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
        'budget.topic and ${LATE} and e.count < e.max_sends',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
        'budget.topic and ${LATE} and e.count + 1 < e.max_sends'
      ),
      inFile(
        'store/src/verbs/event/sweep-events',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
        'where ${LATE} and e.count >= e.max_sends',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
        'where ${LATE} and e.count + 1 >= e.max_sends'
      ),
      inFile(
        'store/src/verbs/event/sweep-events',
        "(c.verdict = 'again') = (e.count < e.max_sends)",
        "(c.verdict = 'again') = (e.count + 1 < e.max_sends)"
      )
    ],
    catchBy: byTest('sweeper/test/resend')
  },
  {
    name: 'new-group-at-the-end',
    invariant: [2, 'what is in the log is handled by a group that is new'],
    edits: [
      inFile(
        'transport-postgres/src/sql/claim-leases',
        'select $1::text, p, 0, $2::uuid',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
        'select $1::text, p, (select x.next_offset from ${db.schema}.partition x where x.id = p), $2::uuid'
      )
    ],
    catchBy: byTest('inbox/test/restart')
  },
  {
    name: 'retention-unchecked',
    invariant: [2, 'exactly one effect per consumer: inbox rows stay as long as a duplicate may come'],
    edits: [inFile('sweeper/src/retention', 'if (inboxMs < topicRetentionMs + replayWindowMs)', 'if (inboxMs < 0)')],
    catchBy: byTest('sweeper/test/retention')
  },
  {
    name: 'second-answer-unnoticed',
    invariant: [3, 'a confirmation traces back to the answer that was awaited; another one raises an alarm'],
    edits: [
      inFile(
        'store/src/verbs/event/check-answer',
        "when e.status = 'CONFIRMED' then 'conflict'",
        "when e.status = 'CONFIRMED' then 'same'"
      )
    ],
    catchBy: byTest('inbox/test/confirm')
  },
  {
    name: 'poison-forgotten',
    invariant: [2, 'every delivery ends in an outcome that stays'],
    edits: [
      inFile(
        'inbox/src/consume',
        'if (refusal !== undefined) return await refuseRaw(consumer, fresh, refusal)',
        "if (refusal !== undefined) return { outcome: 'ignored', eventId: row.eventId }"
      )
    ],
    catchBy: byTest('inbox/test/poison')
  },
  {
    name: 'retries-without-end',
    invariant: [6, 'nothing stays unfinished beyond its attempts: a person hears of it'],
    edits: [
      inFile(
        'inbox/src/decide',
        'const delayMs = options.retry.delaysMs[attempts - 1]',
        'const delayMs = options.retry.delaysMs[attempts - 1] ?? options.retry.delaysMs.at(-1)'
      )
    ],
    catchBy: byTest('inbox/test/outcomes')
  },
  {
    name: 'closed-door-is-a-verdict',
    invariant: [6, 'what is wrong with the world refuses no event'],
    edits: [inFile('inbox/src/run', "if (stage !== 'handler') {", "if (stage !== 'handler' && status !== 422) {")],
    catchBy: byTest('inbox/test/world')
  },
  {
    name: 'set-aside-never-probes',
    invariant: [6, 'what is set aside finds its way back by itself'],
    edits: [
      inFile('inbox/src/retry', 'breaker.mayEnter() && !closing.aborted', 'breaker.isClosed() && !closing.aborted')
    ],
    catchBy: byTest('inbox/test/world')
  },
  {
    name: 'lost-client-kept',
    invariant: [6, 'a service whose sessions were ended goes on by itself'],
    edits: [inFile('store/src/pool', '    lost ??= error\n    release()\n', '    lost ??= error\n')],
    catchBy: byTest('outbox/test/nested-queries')
  },
  {
    name: 'silence-unbounded',
    invariant: [6, 'a database that falls silent keeps no request for ever'],
    edits: [inFile('outbox/src/outbox', 'QUERY_TIMEOUT_MS : statementTimeoutMs + REACH_MS', 'undefined : undefined')],
    catchBy: byTest('outbox/test/silent-server')
  },
  {
    name: 'resent-by-everybody',
    invariant: [14, 'each administrative action has exactly one audit row: of several persons one acts'],
    edits: [inFile('store/src/verbs/operator/resend-event', ' and not e.due and e.erased_at', ' and e.erased_at')],
    catchBy: byTest('store/test/resend-event')
  },
  {
    name: 'comparison-blind-to-refusals',
    invariant: [9, 'the counts of outbox, inbox and log agree, or the difference is found'],
    edits: [inFile('reconciliation/src/classify', "return 'refused-there'", "return 'agreeing'")],
    catchBy: byTest('reconciliation/test/compare')
  },
  {
    name: 'read-only-node-kept',
    invariant: [6, 'what is stuck goes on by itself: a connection to a read-only node is given up'],
    edits: [inFile('store/src/sql-state', '/^(?:08|57P|25006)/', '/^(?:08|57P)/')],
    catchBy: byTest('outbox/test/read-only-node')
  },
  {
    name: 'migration-in-pieces',
    invariant: [2, 'the tables are those of one version'],
    edits: [
      inFile(
        'events/src/migrations/bookkeeping',
        '  set.onStep?.(step)\n',
        "  await client.query('commit; begin')\n  set.onStep?.(step)\n"
      )
    ],
    catchBy: byTest('store/test/migrate')
  },
  {
    name: 'data-in-the-log',
    invariant: [14, 'the data of events are seen only by whom the authorizer allows'],
    edits: [
      inFile(
        'inbox/src/apply',
        '{ eventId: row.eventId, type: row.type, attempts: decision.attempts, err: error }',
        '{ eventId: row.eventId, type: row.type, data: item.data, err: error }'
      )
    ],
    catchBy: byTest('inbox/test/no-data-in-logs')
  }
]

import type { Mutant } from './mutant.ts'

const inStore = (file: string, find: string, replace: string) => ({
  file: `packages/store/src/${file}.ts`,
  find,
  replace
})
// The most elusive is met once in some four hundred histories; what is rarer is caught by a test of its own.
const byEvents = { histories: 'event', count: 4000 } as const
const byInbox = { histories: 'inbox', count: 4000 } as const
const byVerdicts = { test: 'packages/store/test/park-event.test.ts' } as const

const byTest = (file: string) => ({ test: `packages/${file}.test.ts` })

/** Defects of the statements: the histories find them. */
export const storeMutants: readonly Mutant[] = [
  {
    name: 'mark-without-guard',
    invariant: [7, 'count is the number of acknowledged sends'],
    edits: [
      inStore(
        'verbs/event/mark-published',
        '     where e.due and e.count = sent.count\n     for update',
        '     for update'
      ),
      inStore(
        'verbs/event/mark-published',
        'where e.id = free.id and e.due and e.count = free.count',
        'where e.id = free.id'
      )
    ],
    catchBy: [byEvents, byTest('sweeper/test/schedule-property')]
  },
  {
    name: 'mark-guarded-by-due-alone',
    invariant: [7, 'count is the number of acknowledged sends'],
    edits: [
      inStore(
        'verbs/event/mark-published',
        '     where e.due and e.count = sent.count\n     for',
        '     where e.due\n     for'
      ),
      inStore(
        'verbs/event/mark-published',
        'e.id = free.id and e.due and e.count = free.count',
        'e.id = free.id and e.due'
      )
    ],
    catchBy: byEvents
  },
  {
    name: 'mark-waits-for-locked-rows',
    invariant: [6, 'nothing stays unfinished: a row that somebody holds keeps no other from being marked'],
    edits: [inStore('verbs/event/mark-published', '     for update of e skip locked\n', '     for update of e\n')],
    catchBy: { test: 'packages/relay/test/failures.test.ts' }
  },
  {
    name: 'host-parsers-reach-the-store',
    invariant: [2, 'exactly one effect per consumer, whatever the host has made of a type'],
    edits: [
      {
        file: 'packages/events/src/postgres/query-rows.ts',
        find: 'MARKS.some(mark => mark in handle)',
        replace: 'MARKS.length === 0'
      }
    ],
    catchBy: [byTest('idempotency-key/test/foreign-parsers'), byTest('store/test/own-types')]
  },
  {
    name: 'hidden-rows-unseen',
    invariant: [2, 'no event vanishes behind row-level security'],
    edits: [inStore('schema/find-obstacles', '    ...(await hiddenRows(db, plugins)),\n', '')],
    catchBy: byTest('store/test/obstacles')
  },
  {
    name: 'sequence-behind-unseen',
    invariant: [4, 'order of a key: no number is given again'],
    edits: [inStore('schema/find-obstacles', 'where q.next <= d.highest', 'where q.next < 0 and d.highest > 0')],
    catchBy: byTest('store/test/obstacles')
  },
  {
    name: 'changeable-audit-unseen',
    invariant: [14, 'nobody rewrites who did what'],
    edits: [inStore('schema/find-risks', '  found.push(...(await db.rows<{ risk: string }>(AUDIT, [schema])))\n', '')],
    catchBy: byTest('store/test/audit-rights')
  },
  {
    name: 'view-without-audit',
    invariant: [14, 'who sees data stands in the audit'],
    edits: [
      inStore('verbs/operator/view-event', "'view', id from viewed", "'view', id from viewed where false"),
      inStore('verbs/operator/view-delivery', 'consumer from viewed\n', 'consumer from viewed where false\n')
    ],
    catchBy: byTest('store/test/view')
  },
  {
    name: 'unsent-erased',
    invariant: [2, 'what is still to be sent keeps its payload'],
    edits: [inStore('verbs/operator/erase', 'e.erased_at is null and not e.due and', 'e.erased_at is null and')],
    catchBy: byTest('store/test/erase')
  },
  {
    name: 'erased-sent-again',
    invariant: [2, 'what was erased is no event any more'],
    edits: [inStore('verbs/operator/resend-event', 'not e.due and e.erased_at is null', 'not e.due')],
    catchBy: byTest('store/test/erase')
  },
  {
    name: 'life-in-the-future',
    invariant: [6, 'nothing stays unfinished: a sign of life from a wrong clock keeps no lanes'],
    edits: [
      inStore('verbs/event/beat-relay', 'where r.seen_at between oldest and newest\n', 'where r.seen_at >= oldest\n'),
      inStore('verbs/event/beat-relay', 'where seen_at not between oldest and newest and', 'where seen_at < oldest and')
    ],
    catchBy: { test: 'packages/store/test/beat-relay.test.ts' }
  },
  {
    name: 'reaction-after-the-answer',
    invariant: [2, 'what a request did is not taken back when its answer came first'],
    edits: [
      inStore('verbs/inbox/claim-reaction', "e.status in ('PARKED', 'RESOLVED') and", ''),
      inStore('verbs/inbox/claim-reaction', ' = $2 returning e.id', ' is distinct from $2 || 1 returning e.id')
    ],
    catchBy: [byTest('inbox/test/unanswered'), byTest('store/test/turn-unanswered')]
  },
  {
    name: 'answer-unaware-of-reaction',
    invariant: [2, 'an answer that comes after all knows what was taken back'],
    edits: [inStore('verbs/event/confirm-event', '(e.reacted_at is not null) = $6', '$6 is not null')],
    catchBy: [byTest('inbox/test/unanswered'), byTest('store/test/turn-unanswered')]
  },
  {
    name: 'told-again-and-again',
    invariant: [2, 'each change of a request is told of once'],
    edits: [inStore('verbs/event/turn-unanswered', 'e set reacted_to = ', 'e set reacted_to = null || ')],
    catchBy: [byTest('inbox/test/unanswered'), byTest('store/test/turn-unanswered')]
  },
  {
    name: 'refused-reaction',
    invariant: [1, 'nothing vanishes: what was to be taken back waits for a person'],
    edits: [
      {
        file: 'packages/inbox/src/apply.ts',
        find: 'if (isUnanswered(row)) return await hold(',
        replace: 'if (row.type === undefined) return await hold('
      }
    ],
    catchBy: byTest('inbox/test/unanswered')
  },
  {
    name: 'confirm-only-published',
    invariant: [5, 'status is monotone: an answer that overtakes the mark, or comes to a parked event, confirms'],
    edits: [
      inStore(
        'verbs/event/confirm-event',
        "e.status in ('NEW', 'PUBLISHED', 'PARKED') and",
        "e.status = 'PUBLISHED' and"
      )
    ],
    catchBy: [byEvents, byTest('inbox/test/confirm')]
  },
  {
    name: 'replay-claims-again',
    invariant: [2, 'exactly one effect per consumer and replay'],
    edits: [
      inStore(
        'verbs/inbox/claim-replay',
        'on conflict (replay_id, event_id) do nothing',
        'on conflict (replay_id, event_id) do update set at = clock_timestamp()'
      )
    ],
    catchBy: [byInbox, byTest('store/test/claim-replay')]
  },
  {
    name: 'failed-rerun-counts-as-done',
    invariant: [14, 'a rerun that failed is told from one that was done'],
    edits: [inStore('verbs/inbox/claim-replay', "case when $4::json is null then 'DONE' else 'FAILED' end", "'DONE'")],
    catchBy: byTest('store/test/claim-replay')
  },
  {
    name: 'supersede-anything',
    invariant: [5, 'an answer takes the place of the one that confirms, and of no other'],
    edits: [inStore('verbs/event/check-answer', 'e.confirmed_by = $6 then', '$6::uuid is not null then')],
    catchBy: byTest('store/test/supersede-answer')
  },
  {
    name: 'late-refusal-untold',
    invariant: [7, 'each parking has its reason: a refusal that comes to a parked event tells it'],
    edits: [
      inStore(
        'verbs/event/park-event',
        ` or (status = 'PARKED' and park_reason in ('UNCONFIRMED', 'TOPIC_UNAVAILABLE'))`,
        ''
      )
    ],
    catchBy: byVerdicts
  },
  {
    name: 'confirm-from-anybody',
    invariant: [3, 'a confirmation traces back to the answer that was awaited'],
    edits: [inStore('verbs/event/confirm-event', ' and e.awaits_from = $3', '')],
    catchBy: byEvents
  },
  {
    name: 'unpark-without-audit',
    invariant: [14, 'each administrative action has exactly one audit row'],
    edits: [inStore('verbs/event/confirm-event', "from done where status = 'PARKED'", 'from done where false')],
    catchBy: byEvents
  },
  {
    name: 'sweep-ignores-due',
    invariant: [7, 'machine sends do not exceed max_sends; parked by time-out implies count = max_sends'],
    edits: [
      inStore(
        'verbs/event/sweep-events',
        "e.status = 'PUBLISHED' and not e.due and e.deadline <=",
        "e.status = 'PUBLISHED' and e.deadline <="
      )
    ],
    catchBy: byEvents
  },
  {
    name: 'sweep-by-snapshot',
    invariant: [5, 'CONFIRMED is never left (row 20: predicates only in a subselect)'],
    edits: [
      inStore('verbs/event/sweep-events', '         for update skip locked\n', ''),
      inStore(
        'verbs/event/sweep-events',
        '     order by e.deadline\n     limit $1\n     for update skip locked\n',
        '     order by e.deadline\n     limit $1\n'
      ),
      inStore(
        'verbs/event/sweep-events',
        " and (c.verdict = 'again') = (e.count < e.max_sends)\n",
        " and true or c.verdict <> 'unsent'\n"
      )
    ],
    catchBy: byEvents
  },
  {
    name: 'one-budget-for-all-topics',
    invariant: [6, 'nothing stays unfinished: resends of a topic that takes nothing stop no other'],
    edits: [inStore('verbs/event/sweep-events', 'where e.topic = hop.topic and ', 'where ')],
    catchBy: { test: 'packages/store/test/sweep-events.test.ts' }
  },
  {
    name: 'unsent-resend-unseen',
    invariant: [6, 'nothing stays unfinished: what cannot be sent again reaches a person'],
    edits: [
      inStore(
        'verbs/event/sweep-events',
        "     select id, 'unsent' from unsent\n",
        "     select id, 'unsent' from unsent where false\n"
      )
    ],
    catchBy: byEvents
  },
  {
    name: 'fetch-skips-locked',
    invariant: [4, 'first-seen order per key equals commit order: nothing due is skipped'],
    edits: [
      inStore(
        'verbs/event/fetch-due',
        '       order by e.seq\n       limit least(',
        '       order by e.seq\n       for update skip locked\n       limit least('
      )
    ],
    catchBy: byEvents
  },
  {
    name: 'fetch-by-cursor',
    invariant: [2, 'every committed row is sent: a lower seq may commit later'],
    edits: [
      inStore(
        'verbs/event/fetch-due',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
        'where ${part} and e.topic = t.topic and e.lane',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
        'where ${part} and e.seq > (select coalesce(max(p.seq), 0) from ${s}.event p where not p.due) and e.topic = t.topic and e.lane'
      )
    ],
    catchBy: [byEvents, byTest('store/test/fetch-due')]
  },
  {
    name: 'replays-before-fresh',
    invariant: [6, 'stored answers that go out again are never before fresh work'],
    edits: [inStore('verbs/event/fetch-due', 'order by batch.replay, batch.seq', 'order by batch.seq')],
    catchBy: byEvents
  },
  {
    name: 'patience-without-an-answer',
    invariant: [6, 'an outage of the broker parks nothing: only a topic that is known to be unavailable'],
    edits: [
      inStore(
        'verbs/event/give-up-topics',
        'select min(e.topic_unavailable_since) from',
        'select min(e.updated_at) from'
      ),
      inStore('verbs/event/give-up-topics', ' and e.failing_since is not null and e.due', ' and e.due')
    ],
    catchBy: { test: 'packages/store/test/give-up-topics.test.ts' }
  },
  {
    name: 'refused-send-counts',
    invariant: [7, 'count is the number of acknowledged sends'],
    edits: [
      inStore(
        'verbs/event/park-unsendable',
        '       due = false,\n',
        '       due = false,\n       count = count + 1,\n'
      )
    ],
    catchBy: byEvents
  },
  {
    name: 'progress-for-ever',
    invariant: [6, 'nothing stays unfinished beyond its deadlines: progress ends at give_up_at'],
    edits: [
      inStore(
        'verbs/event/extend-deadline',
        'least(e.give_up_at, greatest(e.deadline, t.now',
        'least(null, greatest(e.deadline, t.now'
      )
    ],
    catchBy: byVerdicts
  },
  {
    name: 'retention-of-unconfirmed',
    invariant: [2, 'an unconfirmed event is never removed'],
    edits: [
      inStore(
        'verbs/event/purge-events',
        "where e.id in (select id from seen) and not e.due\n         and (e.status in ('CONFIRMED', 'RESOLVED') or e.status = 'PUBLISHED' and e.awaits_from is null)",
        "where e.id in (select id from seen) and not e.due\n         and e.status in ('CONFIRMED', 'RESOLVED', 'PUBLISHED')"
      ),
      inStore(
        'verbs/event/purge-events',
        "where e.id = f.id and not e.due\n         and (e.status in ('CONFIRMED', 'RESOLVED') or e.status = 'PUBLISHED' and e.awaits_from is null)",
        "where e.id = f.id and not e.due\n         and e.status in ('CONFIRMED', 'RESOLVED', 'PUBLISHED')"
      )
    ],
    catchBy: [byEvents, byTest('store/test/purge-events')]
  },
  {
    name: 'resolve-without-audit',
    invariant: [14, 'each administrative action has exactly one audit row'],
    edits: [
      inStore(
        'verbs/operator/resolve-event',
        "json_build_object('reason', park_reason, 'count', count) from resolved",
        "json_build_object('reason', park_reason, 'count', count) from resolved where false"
      )
    ],
    catchBy: byEvents
  },
  {
    name: 'answer-under-new-id',
    invariant: [8, 'all replies for one event are the same reply'],
    edits: [
      inStore(
        'verbs/event/replay-answers',
        'set due = true, replay = true,',
        'set id = gen_random_uuid(), due = true, replay = true,'
      )
    ],
    catchBy: byEvents
  },
  {
    name: 'resend-all-caused',
    invariant: [8, 'a duplicate sends the stored reply again, and nothing else'],
    edits: [
      inStore(
        'verbs/event/replay-answers',
        'source = $3 and is_answer and superseded_by is null and',
        'source = $3 and'
      )
    ],
    catchBy: [byEvents, byTest('inbox/test/duplicate-storm')]
  },
  {
    name: 'inbox-key-without-consumer',
    invariant: [2, 'exactly one effect per consumer'],
    edits: [
      {
        file: 'packages/store/src/schema/migrations/001-tables.ts',
        find: 'primary key (consumer, event_id)',
        replace: 'primary key (event_id)'
      },
      inStore('verbs/inbox/receive-delivery', 'on conflict (consumer, event_id)', 'on conflict (event_id)'),
      inStore('verbs/inbox/refuse-delivery', 'on conflict (consumer, event_id)', 'on conflict (event_id)'),
      inStore('verbs/inbox/set-aside', 'on conflict (consumer, event_id)', 'on conflict (event_id)')
    ],
    catchBy: byInbox
  },
  {
    name: 'followers-of-blocked-run',
    invariant: [4, 'while a head blocks its key, nothing later is applied'],
    edits: [inStore('verbs/inbox/claim-retry', 'u.arrival < i.arrival', 'false')],
    catchBy: byInbox
  },
  {
    name: 'topics-share-keys',
    invariant: [4, 'a held head blocks its own topic and key, and nothing else'],
    edits: [inStore('verbs/inbox/receive-delivery', 'u.topic = $4 and ', '')],
    catchBy: byInbox
  },
  {
    name: 'retries-ignore-topic',
    invariant: [4, 'a held head blocks its own topic and key, and nothing else'],
    edits: [
      inStore('verbs/inbox/find-runnable', '(u.topic, u.key) > (h.topic, h.key)', 'u.key > h.key'),
      inStore('verbs/inbox/claim-retry', 'and u.topic = i.topic\n', '\n')
    ],
    catchBy: byInbox
  },
  {
    name: 'fresh-overtakes-held',
    invariant: [4, 'while a held head blocks its key, nothing later is applied'],
    edits: [
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
      inStore('verbs/inbox/receive-delivery', 'u.state in ${UNFINISHED}', "u.state in ('RETRY', 'BLOCKED')")
    ],
    catchBy: [byInbox, byTest('inbox/test/set-aside')]
  },
  {
    name: 'retry-claimed-twice',
    invariant: [2, 'exactly one effect per consumer'],
    edits: [
      inStore('verbs/inbox/claim-retry', 'for update of i skip locked)', ')'),
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
      inStore('verbs/inbox/claim-retry', 'and i.state in ${WAITING}\n     returning', '\n     returning')
    ],
    catchBy: byInbox
  },
  {
    name: 'verdict-on-finished',
    invariant: [2, 'what is handled is not refused as well'],
    edits: [
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template
      inStore('verbs/inbox/refuse-delivery', 'where i.state in ${WAITING} and i.source', 'where i.source')
    ],
    catchBy: byInbox
  },
  {
    name: 'unknown-refused-early',
    invariant: [2, 'what this process does not know is left to one that does for the whole patience'],
    edits: [
      inStore(
        'verbs/inbox/refuse-delivery',
        "i.state = 'UNKNOWN' and i.due_at <= coalesce($18::timestamptz, clock_timestamp())",
        "i.state = 'UNKNOWN' and $16::timestamptz is not distinct from $16"
      )
    ],
    catchBy: byInbox
  },
  {
    name: 'unknown-is-overtaken',
    invariant: [4, 'while a delivery waits for a process that knows it, nothing later of its key is applied'],
    edits: [
      inStore(
        'verbs/inbox/get-delivery',
        "UNFINISHED = \"('RETRY', 'BLOCKED', 'UNKNOWN', 'HELD')\"",
        "UNFINISHED = \"('RETRY', 'BLOCKED', 'HELD')\""
      )
    ],
    catchBy: byInbox
  },
  {
    name: 'retry-taken-from-who-knows',
    invariant: [2, 'a retry is left to the processes that know its type'],
    edits: [inStore('verbs/inbox/turn-unknown', 'i.due_at <= clock.now - clock.patience', 'i.due_at <= clock.now')],
    catchBy: byInbox
  },
  {
    name: 'release-without-audit',
    invariant: [14, 'each administrative action has exactly one audit row'],
    edits: [
      inStore('verbs/operator/release-delivery', 'from released r, before b', 'from released r, before b where false')
    ],
    catchBy: byInbox
  },
  {
    name: 'reprocess-withdraws-of-others',
    invariant: [8, 'a duplicate of a refused event is told the stored refusal'],
    edits: [inStore('verbs/operator/reprocess-delivery', " and e.payload->>'consumer' = r.consumer", '')],
    catchBy: { test: 'packages/store/test/reprocess-delivery.test.ts' }
  },
  {
    name: 'verdict-on-another-event',
    invariant: [2, 'an event is known by source and id: no other one ends it'],
    edits: [
      inStore(
        'verbs/inbox/refuse-delivery',
        ' and i.source = excluded.source and i.type = excluded.type and i.topic = excluded.topic',
        ''
      )
    ],
    catchBy: byInbox
  },
  {
    name: 'receipt-confirms-anything',
    invariant: [2, 'a request that awaits a business answer is confirmed by nothing else'],
    edits: [
      inStore(
        'verbs/event/check-answer',
        '(not $5::boolean or e.awaits_receipt is not false)',
        '$5::boolean is not null'
      )
    ],
    catchBy: byEvents
  }
]

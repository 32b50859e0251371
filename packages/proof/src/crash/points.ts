/** A place in the code where a process shall end, and what leads it there beside the usual load. */
export interface CrashPoint {
  service: 'market' | 'deploy'
  /** Name of the diagnostics channel. */
  at: string
  /** What it says in words, for the log. */
  words: string
  /** `silence`: the other service is stopped for a while, so that something is swept; `bulk`: a person resends much. */
  provoke?: 'silence' | 'bulk'
}

const market = (at: string, words: string, provoke?: CrashPoint['provoke']): CrashPoint => ({
  service: 'market',
  at: `steadfast:${at}`,
  words,
  ...(provoke === undefined ? {} : { provoke })
})
const deploy = (at: string, words: string): CrashPoint => ({ service: 'deploy', at: `steadfast:${at}`, words })

/** Each seam at which a crash could break something. */
export const CRASH_POINTS: readonly CrashPoint[] = [
  market('outbox:before-commit', 'an order is written, COMMIT is not sent'),
  market('outbox:after-commit', 'an order is committed, its customer not answered'),
  market('relay:batch-fetched', 'a batch is read, not sent'),
  market('relay:batch-sent', 'the broker has acknowledged, nothing is marked'),
  market('relay:before-mark', 'just before the mark'),
  market('relay:after-mark', 'just after the mark'),
  market('inbox:delivery', 'an answer has arrived'),
  market('inbox:before-commit', 'an answer is handled, COMMIT is not sent'),
  market('inbox:after-commit', 'an answer is committed, the offset is not'),
  market('inbox:delivery-done', 'just before the offset'),
  market('sweeper:before-sweep', 'before the sweep'),
  market('sweeper:after-sweep', 'in a sweep that made events due again', 'silence'),
  market('reconciliation:action', 'a person has acted', 'bulk'),
  market('reconciliation:bulk-step', 'amid a bulk resend', 'bulk'),
  deploy('outbox:before-commit', 'a result is written, COMMIT is not sent'),
  deploy('outbox:after-commit', 'a result is committed, not sent'),
  deploy('relay:batch-sent', 'the broker has acknowledged, nothing is marked'),
  deploy('relay:before-mark', 'just before the mark'),
  deploy('inbox:delivery', 'a request has arrived'),
  deploy('inbox:before-commit', 'a request is handled, COMMIT is not sent'),
  deploy('inbox:after-commit', 'a request is committed, the offset is not'),
  deploy('inbox:delivery-done', 'just before the offset'),
  deploy('inbox:set-aside', 'a failing delivery was set aside'),
  deploy('inbox:held', 'a delivery was held'),
  deploy('inbox:refused', 'a delivery was refused')
]

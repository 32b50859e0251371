import type { Transport } from '../transport.ts'

/**
 * What the suite needs of a test runner: `t` of tap and of `node:test` both fit. Assertions are `node:assert`'s, so a
 * failure is a rejected test function.
 */
export interface TestContext {
  test(name: string, options: { skip?: string | false }, run: (t: Reporter) => Promise<void>): unknown
}

/** What a test may be told. tap counts a test that asserts nothing as skipped, so the suite says `pass` where it exists. */
export interface Reporter {
  pass?(message: string): unknown
}

/** Undoes a fault. Called once, also when the test failed. */
export type Heal = () => void | Promise<void>

/** Ways to hurt the broker. Each is optional; a test that needs an absent one must be listed in `skip`, with the reason. */
export interface Faults {
  /**
   * Bytes of a value that the broker refuses. Default: `capabilities.maxBytes + 1`.
   */
  oversizeBytes?: number
  /**
   * From now on the broker hears its clients and stores what they publish, and none of its answers arrive. Concerns
   * all clients made by `create()`, old and new.
   */
  loseAcknowledgements?(): Promise<Heal>
  /** From now on no client reaches the broker. */
  away?(): Promise<Heal>
  /** From now on publishing to the partition of this key fails, and publishing to other partitions works. */
  failPartition?(topic: string, key: string): Promise<Heal>
}

/** One broker under test, with as many clients as the suite asks for. */
export interface TransportFixture {
  /** A fresh client of the broker, with connections of its own. The suite closes it. */
  create(): Transport | Promise<Transport>
  /**
   * How a child process makes the same client: the suite forks a process that imports `module` (a file URL) and awaits
   * its export `create(args)`, which returns a {@link Transport}. `args` travels as JSON. The child is killed by SIGKILL.
   * It is plain Node.js, without the loaders of the process that runs the suite.
   * When absent, `resume after SIGKILL` must be skipped.
   */
  child?: { module: string; args: unknown }
  /**
   * Writes records to a topic of one partition, in this order, as a producer does that is none of ours: a key is any
   * bytes, or absent (`null`). When absent, `keys are bytes` must be skipped.
   */
  foreign?(topic: string, records: readonly { key: Buffer | null; value: Buffer }[]): Promise<void>
  faults?: Faults
  /**
   * How long, in milliseconds, the suite waits for something that must happen, such as a take-over from a dead member.
   * @default 20000
   */
  timeoutMs?: number
  /** Called once, after the last test. */
  cleanup?(): void | Promise<void>
}

/** Tests that a transport is excused from, and why. */
export interface Skip {
  reason: string
  tests: readonly string[]
}

/** Options of `transportCompliance`. */
export interface ComplianceOptions {
  skip?: readonly Skip[]
}

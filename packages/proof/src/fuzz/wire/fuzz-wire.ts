import { fuzzDecoder } from './fuzz-decoder.ts'
import { fuzzInbox } from './fuzz-inbox.ts'

export interface FuzzWireOptions {
  /** From which everything that is fed follows. */
  seed: number
  /** Records for the decoder; the inbox is fed a twentieth of them. */
  count: number
  /** A server where databases may be made and dropped. */
  postgresUrl: string
  log(line: string): void
}

/**
 * Feeds what comes from a broker with what no honest sender sends: the decoder by itself, and an inbox on a real
 * database. A text for each violation, with what was fed and how to see it again.
 */
export async function fuzzWire(options: FuzzWireOptions): Promise<string[]> {
  return [...(await fuzzDecoder(options)), ...(await fuzzInbox({ ...options, count: Math.ceil(options.count / 20) }))]
}

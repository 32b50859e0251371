import type { Part } from '../part.ts'
import { fuzzHttp } from './http/fuzz-http.ts'
import { fuzzOptions } from './options/fuzz-options.ts'
import { fuzzWire } from './wire/fuzz-wire.ts'

/** Records of the wire, registrations of each plugin, random requests for each operation. */
const COUNTS = { ci: { wire: 1000, options: 20, http: 5 }, full: { wire: 20_000, options: 300, http: 25 } }

/** What comes from outside, made up: records of a broker, options, HTTP requests. */
export const fuzz: Part = {
  name: 'fuzz',
  async run(options) {
    const { wire, options: registrations, http } = COUNTS[options.profile]
    const violations = [
      ...(await fuzzWire({ ...options, count: wire })),
      ...(await fuzzOptions({ ...options, count: registrations })),
      ...(await fuzzHttp({ ...options, count: http }))
    ]
    return { figures: {}, violations }
  }
}

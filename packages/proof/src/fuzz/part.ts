import type { Part } from '../part.ts'
import { fuzzHttp } from './http/fuzz-http.ts'

const COUNT = { ci: 5, full: 50 }

/** What comes from outside, made up: HTTP requests. */
export const fuzz: Part = {
  name: 'fuzz',
  async run(options) {
    const violations = await fuzzHttp({ ...options, count: COUNT[options.profile] })
    return { figures: {}, violations }
  }
}

/** Words that make random requests meet what is there. */
export interface Vocabulary {
  /** Ids of events and replays that exist, and some that do not. */
  ids: readonly string[]
  consumer: string
  products: readonly string[]
  plans: readonly string[]
}

/** Texts that fit many a format and still upset whoever takes them on: they stand for strings now and then. */
const NASTY = [
  '\u0000',
  'a\u0000b',
  'urn:uuid:00000000-0000-7000-8000-000000000000',
  '{00000000-0000-7000-8000-000000000000}',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:60Z',
  '9999-12-31T23:59:59.999999999+23:59',
  '2020-02-29t00:00:00z',
  'infinity',
  '__proto__',
  'constructor',
  '\u{10ffff}',
  "'; drop table steadfast.event; --",
  '%',
  '_',
  '\\'
]

/** JSON's strings and lists are TOML's. */
const toml = (value: unknown) => JSON.stringify(value)

/**
 * The configuration of schemathesis. Not checked, because Fastify does otherwise by design: that routes document every
 * status (what a refusal must look like is checked by `faultOf`), and that unknown methods are 405 (they are 404).
 */
export function configurationOf({ ids, consumer, products, plans }: Vocabulary): string {
  return `
[dictionaries]
ids = { values = ${toml(ids)} }
products = { values = ${toml(products)} }
plans = { values = ${toml(plans)} }
consumers = { values = ${toml([consumer])} }
nasty = { values = ${toml(NASTY)} }

[parameters]
"path.id" = { dictionary = "ids", probability = 0.6 }
"path.consumer" = { dictionary = "consumers", probability = 0.6 }
"body.product" = { dictionary = "products", probability = 0.7 }
"body.plan" = { dictionary = "plans", probability = 0.5 }

[generation]
allow-x00 = true
database = "none"

[generation.dictionaries]
string = { dictionary = "nasty", probability = 0.15 }

[checks.status_code_conformance]
enabled = false
[checks.unsupported_method]
enabled = false
[checks.negative_data_rejection]
expected-statuses = ["4xx", 502, 503]

[output.sanitization]
enabled = false

[warnings]
enabled = false
`
}

type Parse = (text: string) => unknown

const asNumber: Parse = text => Number(text)
const asJson: Parse = text => JSON.parse(text) as unknown

/** By PostgreSQL's number of the type. Every other type stays text: bigint and numeric, which a number would round, too. */
const PARSERS: Readonly<Record<number, Parse>> = {
  16: text => text === 't', // boolean
  17: readBytea,
  21: asNumber, // smallint
  23: asNumber, // integer
  26: asNumber, // oid
  114: asJson,
  700: asNumber, // real
  701: asNumber, // double precision
  1184: readTime, // timestamptz
  3802: asJson // jsonb
}

const asText: Parse = text => text

/**
 * What statements of Steadfast's own give node-postgres as `types`, so that no parser which the host has set, for the
 * process or for a pool, reaches what they read. Arrays stay text: a statement makes JSON of one.
 */
export const OWN_TYPES = { getTypeParser: (type: number): Parse => PARSERS[type] ?? asText }

function readBytea(text: string): Buffer {
  if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex')
  // As `bytea_output = escape` has it: a backslash, or a byte in octal.
  const bytes = text.replace(/\\(\\|[0-7]{3})/g, (_, byte: string) =>
    byte === '\\' ? byte : String.fromCharCode(Number.parseInt(byte, 8))
  )
  return Buffer.from(bytes, 'latin1')
}

const TIME = /^(\d{4,6})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d(?:\.\d+)?)([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?( BC)?$/

/** A time in the form of `DateStyle = ISO`. In another form it may mean another day, so none is guessed. */
function readTime(text: string): Date | number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY
  if (text === '-infinity') return Number.NEGATIVE_INFINITY
  const [, year, month, day, hour, minute, second, sign, hours, minutes = 0, seconds = 0, bc] = TIME.exec(text) ?? []
  if (year === undefined) throw new Error('PostgreSQL sent a time that is not in the form of DateStyle = ISO')
  const date = new Date(0)
  date.setUTCFullYear(bc === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day))
  const offset = (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds))
  const ofDay = Number(hour) * 3_600_000 + Number(minute) * 60_000 + Math.trunc(Number(second) * 1000)
  return new Date(date.getTime() + ofDay - offset * 1000)
}

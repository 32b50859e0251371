const OUTAGE = /^(?:08|40|53|55|57)...$|^E[A-Z]{3,}$/

/** Whether an error speaks of the server or the network and not of what was asked: then waiting helps. */
export function isOutage(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code !== 'string' || OUTAGE.test(code)
}

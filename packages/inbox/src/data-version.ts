const VERSION = /^\d{1,9}(?:\.\d{1,9}){0,9}$/

/**
 * Whether a version of data is newer than the one that is known: by its numbers, separated by dots, where missing ones are 0.
 * What has no such form, or is absent on either side, is never newer. The statement that finds runnable deliveries says the same.
 */
export function isNewer(version: string | undefined, known: string | undefined): boolean {
  if (version === undefined || known === undefined || !VERSION.test(version) || !VERSION.test(known)) return false
  const [of, than] = [version, known].map(text => text.split('.').map(Number)) as [number[], number[]]
  for (let i = 0; i < Math.max(of.length, than.length); i++) {
    const difference = (of[i] ?? 0) - (than[i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return false
}

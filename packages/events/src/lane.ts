/** How many lanes the relays share. Frozen: the number of a stored event's lane depends on it. */
export const LANES = 64

/**
 * The lane of a key: FNV-1a (32 bit, offset basis 2166136261, prime 16777619) over the UTF-8 bytes of the key, modulo
 * {@link LANES}. The test vectors in `test/lane.test.ts` freeze it, for other languages too.
 */
export function laneOf(key: string): number {
  let hash = 2166136261
  for (const byte of Buffer.from(key, 'utf8')) hash = Math.imul(hash ^ byte, 16777619)
  return (hash >>> 0) % LANES
}

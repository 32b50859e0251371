import { ActorInvalid } from './errors.ts'

/** By this name the machine itself acts, in the audit trail. */
const RESERVED = 'steadfast'
// What could break a line, or look like another name, is no name.
const NAME = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,200}$/u

const plainly = (name: string) =>
  name
    .normalize('NFKC')
    .replaceAll(/\p{Cf}/gu, '')
    .trim()
    .toLowerCase()

/**
 * What a verdict of the authorizer says: the actor's name, `true` (allowed, without a name) or `false`.
 *
 * @throws SF_RECONCILIATION_ACTOR_INVALID
 */
export function readVerdict(verdict: unknown): string | boolean {
  const actor = (verdict as { actor?: unknown } | null | undefined)?.actor
  if (typeof actor !== 'string' || actor === '') return verdict === true
  const plain = plainly(actor)
  if (!NAME.test(actor) || plain === '')
    throw new ActorInvalid('must be 1 to 200 characters, none of them a control character')
  if (plain === RESERVED) throw new ActorInvalid(`"${RESERVED}" is the machine's own name`)
  return actor
}

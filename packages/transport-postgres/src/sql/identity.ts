/** A member of a group, as the statements know it. */
export interface Identity {
  group: string
  id: string
  topics: readonly string[]
}

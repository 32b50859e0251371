import { sqlStateOf } from '@steadfast/store/internal'

/** Whether the database says that it is the row which is wrong, not the world: its values, its size, or a rule of the owner's. */
export function isAboutRow(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state !== undefined && /^(?:22|23|54|P0)/.test(state)
}

export { findPool, type PoolChoice, poolOptions } from './find-pool.ts'
export { grants, hiddenTables, type Lacking, missingRights, type Wanted } from './obstacles.ts'
export { OWN_TYPES } from './own-types.ts'
export { type Handle, queryRows, type Statement, TAKES_STATEMENTS } from './query-rows.ts'

import { Type } from 'typebox'

/** A UUID as PostgreSQL takes it: the format `uuid` also allows `urn:uuid:` before it. */
export const Uuid = Type.String({ pattern: '^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' })

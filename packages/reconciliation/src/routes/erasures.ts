import { eraseData } from '@steadfast/store/internal'
import { Type } from 'typebox'
import type { Context, Server } from '../context.ts'
import { actorOf } from '../guard.ts'
import { Key, Note, NullableText } from '../schemas.ts'

const Counted = Type.Object({ erased: Type.Integer(), left: Type.Integer() })

/** Erasing the data of a person who is a key. */
export function erasureRoutes(server: Server, context: Context): void {
  server.post(
    '/erasures',
    {
      config: { reconciliation: 'erase' },
      schema: {
        summary: 'Erase what was written in the finished events and deliveries of a key',
        body: Type.Object(
          {
            key: Key,
            note: Note,
            held: Type.Optional(Type.Boolean()),
            untold: Type.Optional(Type.Boolean())
          },
          { additionalProperties: false }
        ),
        response: { 200: Type.Object({ events: Counted, deliveries: Counted, keyHash: NullableText }) }
      }
    },
    async request => {
      const actor = actorOf(request)
      const erased = await context.write(db => eraseData(db, { ...request.body, actor }))
      context.acted({ action: 'erase', id: erased.keyHash ?? '', actor })
      return erased
    }
  )
}

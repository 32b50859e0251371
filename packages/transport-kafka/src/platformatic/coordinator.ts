import type { API } from '@platformatic/kafka'
import { nameOfError } from '../broker-error.ts'
import { type Connections, send } from './connections.ts'
import type { OpenCluster } from './open-cluster.ts'

/** The broker that coordinates a group, for as long as it does. */
export interface Coordinator {
  /** Sends it a request on one of these connections. It is looked for anew after a failure, or if it is not the one. */
  ask<Args extends unknown[], Answer>(connections: Connections, api: API<Args, Answer>, ...args: Args): Promise<Answer>
  /** It may be another one by now. */
  forget(): void
}

const NOT_THE_ONE = new Set(['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS'])

export function createCoordinator(cluster: OpenCluster, group: string): Coordinator {
  let id: number | undefined
  return {
    async ask(connections, api, ...args) {
      try {
        id ??= await cluster.coordinator(group)
        const connection = await connections.to(await cluster.broker(id))
        const answer = await send(connection, api, ...args)
        const { errorCode } = answer as { errorCode?: number }
        if (NOT_THE_ONE.has(nameOfError(errorCode ?? 0) ?? '')) id = undefined
        return answer
      } catch (thrown) {
        id = undefined
        throw thrown
      }
    },
    forget() {
      id = undefined
    }
  }
}

/** Whether a request for a coordinator may find the right one a little later. */
export const mayBeFoundLater = (error: string | undefined): boolean => error !== undefined && NOT_THE_ONE.has(error)

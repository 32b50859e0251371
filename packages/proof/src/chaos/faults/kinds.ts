import type { Cluster } from '../../cluster/start-cluster.ts'
import { brokerFaults } from './brokers.ts'
import { databaseFaults, diskFull } from './databases.ts'
import type { FaultKind } from './fault.ts'
import { networkFaults } from './networks.ts'
import { operatorFaults } from './operators.ts'
import { processFaults } from './processes.ts'

/** Every kind that can happen to this cluster. */
export function faultKinds({ disk }: Cluster): FaultKind[] {
  const all = [...processFaults, ...databaseFaults, ...networkFaults, ...brokerFaults, ...operatorFaults]
  return disk === undefined ? all : [...all, diskFull(disk)]
}

import { createKafkaTransport, type KafkaTransportOptions } from '../src/index.ts'

/** What the compliance suite's child process calls. */
export const create = (args: unknown) => createKafkaTransport(args as KafkaTransportOptions)

import * as onPlatformatic from '../src/index.ts'
import * as onKafkajs from '../src/kafkajs/index.ts'

const clients = { onPlatformatic, onKafkajs }

/** What the compliance suite's child process calls. */
export function create(args: unknown) {
  const { name, options } = args as { name: keyof typeof clients; options: onPlatformatic.KafkaTransportOptions }
  return clients[name].createKafkaTransport(options)
}

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Directory of pom.xml and the broker's log configuration. */
export const kafkaHome = join(import.meta.dirname, '..', 'kafka')

export const cacheDir = join(import.meta.dirname, '..', '.cache')

/** Another version of Kafka than that of pom.xml, for trying one. */
export const otherVersion = process.env.TEST_KAFKA_VERSION

const edition = createHash('sha256')
  .update(readFileSync(join(kafkaHome, 'pom.xml')))
  .update(otherVersion ?? '')
  .digest('hex')
  .slice(0, 12)

/** The broker's jars; another pom.xml, or version, has another directory. */
export const jarDir = join(cacheDir, `kafka-${edition}`)

/** Class data sharing archive: halves the start time. Absent with a JDK that cannot make one. */
export const classArchive = join(jarDir, 'kafka.jsa')

/** First records of the metadata log, as the storage tool writes them. */
export const formatTemplate = join(jarDir, 'bootstrap.checkpoint')

/** Written last: everything above is complete. */
export const preparedMark = join(jarDir, 'prepared')

export const java = process.env.JAVA_HOME === undefined ? 'java' : join(process.env.JAVA_HOME, 'bin', 'java')

/** Flags for the JVM up to the class path, which is sorted: an archive is valid only for the very same class path. */
export function jvmArguments(...flags: readonly string[]): string[] {
  const jars = readdirSync(jarDir).filter(name => name.endsWith('.jar'))
  const classPath = jars.sort().map(name => join(jarDir, name))
  return [
    '-Xshare:auto',
    '-XX:+UseSerialGC',
    '-XX:-UsePerfData',
    `-Dlog4j2.configurationFile=${join(kafkaHome, 'log4j2.properties')}`,
    ...flags,
    '-cp',
    classPath.join(':')
  ]
}

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { classArchive, jarDir, kafkaHome, otherVersion, preparedMark } from './kafka-files.ts'
import { withLock } from './lock.ts'
import { startBroker } from './start-broker.ts'

const run = promisify(execFile)

async function fetchJars(): Promise<void> {
  if (existsSync(jarDir)) return
  const temporary = `${jarDir}.${process.pid}`
  mkdirSync(temporary, { recursive: true })
  try {
    const version = otherVersion === undefined ? [] : [`-Dkafka.version=${otherVersion}`]
    const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${temporary}`]
    await run('mvn', ['-q', '-B', ...copy, ...version], { cwd: kafkaHome })
    renameSync(temporary, jarDir)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** The JVM writes the archive as it ends in an orderly way; a JDK without a base archive writes none. */
async function makeArchive(): Promise<void> {
  const temporary = `${classArchive}.${process.pid}`
  const broker = await startBroker({}, { jvmFlags: [`-XX:ArchiveClassesAtExit=${temporary}`] })
  await broker.stop({ graceful: true, timeoutMs: 60000 })
  if (existsSync(temporary)) renameSync(temporary, classArchive)
}

/**
 * Fetches the broker's jars by Maven, then makes what halves the start time. Once per pom.xml, 5 to 15 seconds;
 * later calls return at once. Processes that call it together wait for the first.
 */
export async function prepareKafka(): Promise<void> {
  if (existsSync(preparedMark)) return
  await withLock(jarDir, async () => {
    if (existsSync(preparedMark)) return
    await fetchJars()
    await makeArchive()
    writeFileSync(preparedMark, '')
  })
}

import { type DemoOptions, parseOptions, USAGE } from './parse-options.ts'
import { runDemo } from './run-demo.ts'

// kafkajs asks for a timer in the past now and then; Node.js sets it to 1 ms, which is what is wanted
process.removeAllListeners('warning')
process.on('warning', warning => {
  if (warning.name !== 'TimeoutNegativeWarning') console.warn(warning)
})

let options: DemoOptions | undefined
try {
  options = parseOptions(process.argv.slice(2))
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`)
  process.exit(2)
}
if (options === undefined) {
  console.log(USAGE)
  process.exit()
}
const code = await runDemo(options)
// Left to itself, Node.js 24 was seen to spin in its clean-up of handles after a broken connection, and never end.
process.exit(code)

import { type DemoOptions, parseOptions, USAGE } from './parse-options.ts'
import { runDemo } from './run-demo.ts'

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
process.exitCode = await runDemo(options)

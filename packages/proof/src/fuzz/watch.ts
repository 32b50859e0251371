/** What must not happen to a process whatever it is fed. */
export interface Watch {
  /** What has happened since the last call. */
  take(): string[]
  end(): void
}

const own = () => [Object.prototype, Array.prototype, Function.prototype].flatMap(p => Reflect.ownKeys(p)).map(String)

/** Listens for exceptions that nobody caught, rejections that nobody handled, bad timers; looks for polluted prototypes. */
export function startWatch(): Watch {
  const seen: string[] = []
  const before = own()
  const onException = (error: unknown) => void seen.push(`nobody caught: ${say(error)}`)
  const onRejection = (error: unknown) => void seen.push(`nobody handled the rejection: ${say(error)}`)
  const onWarning = (warning: Error) => {
    if (/^Timeout\w+Warning$/.test(warning.name)) seen.push(`a timer of the wrong length: ${say(warning)}`)
  }
  process.on('uncaughtException', onException)
  process.on('unhandledRejection', onRejection)
  process.on('warning', onWarning)
  return {
    take() {
      const polluted = own().filter(name => !before.includes(name))
      for (const name of polluted) delete (Object.prototype as unknown as Record<string, unknown>)[name]
      return [...seen.splice(0), ...polluted.map(name => `a prototype has a new member ${name}`)]
    },
    end() {
      process.off('uncaughtException', onException)
      process.off('unhandledRejection', onRejection)
      process.off('warning', onWarning)
    }
  }
}

const say = (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error))

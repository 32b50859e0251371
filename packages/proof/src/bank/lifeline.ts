// Preloaded into the services of the bank: the channel to the proof closes when the proof ends, however it does.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.channel?.unref()

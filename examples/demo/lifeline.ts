// Preloaded into services that the demo supervises: the channel to the demo closes when the demo ends, however it does.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.channel?.unref()

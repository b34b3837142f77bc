// Loaded into a measured server with `--expose-gc --import`: on SIGUSR2 it collects its garbage and prints what is left.
process.on('SIGUSR2', () => {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  console.log(`memory ${JSON.stringify({ used: heapUsed + external, rss })}`)
})

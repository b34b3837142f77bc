import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A line to a server on this machine that a test can cut and mend, as a network that fails and comes back. */
export interface Line {
  readonly url: string
  /** Ends every connection without a word; new ones find nobody until `mend`. */
  cut(): void
  mend(): void
  close(): Promise<void>
}

/** `target`: the server's URL, as `http://127.0.0.1:4090`. */
export async function startLine(target: string): Promise<Line> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let isCut = false
  const cut = (): void => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((near) => {
    if (isCut) return void near.destroy()
    const far = connect(Number(port), hostname)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => (sockets.delete(from), to.destroy()))
      from.pipe(to)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, hostname, resolve))
  const { port: own } = server.address() as AddressInfo
  return {
    url: `http://${hostname}:${own}`,
    cut,
    mend: () => {
      isCut = false
    },
    close: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

type Direction = 'up' | 'down'

/** A line to a server on this machine that fails as lines do, while both ends believe in it. */
export class FaultyLine {
  readonly url: string
  readonly #close: () => Promise<void>
  readonly #pairs = new Set<Pair>()
  readonly #holding = new Set<Direction>()
  #delayMs = 0
  #bytesPerSecond = Number.POSITIVE_INFINITY
  #isRefusing = false

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url
    this.#close = close
  }

  /** `target`: the server's URL, as `http://127.0.0.1:4090`. */
  static async start(target: string): Promise<FaultyLine> {
    const { hostname, port } = new URL(target)
    const server = createServer((near) => line.#join(near, Number(port), hostname))
    await new Promise<void>((resolve) => server.listen(0, hostname, resolve))
    const { port: own } = server.address() as AddressInfo
    const line = new FaultyLine(
      `http://${hostname}:${own}`,
      () => new Promise((resolve) => server.close(() => resolve())),
    )
    return line
  }

  /** New connections find nobody until `mend`. */
  refuse(): void {
    this.#isRefusing = true
  }

  /** Ends every connection, with a farewell or with none; new ones find nobody until `mend`. */
  cut(how: 'closed' | 'reset'): void {
    this.refuse()
    for (const pair of this.#pairs) pair.end(how)
  }

  /** New connections are good again; what became of the old ones stays. */
  mend(): void {
    this.#isRefusing = false
    this.#holding.clear()
    this.#delayMs = 0
  }

  /** Nothing goes any more, on old connections and on new ones, and neither end is told. */
  hold(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#holding.add(direction)
    for (const pair of this.#pairs) for (const direction of directions) pair.hold(direction)
  }

  /** What was held arrives, in order. */
  release(): void {
    this.mend()
    for (const pair of this.#pairs) pair.release()
  }

  /** From now on everything takes so long, each way. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs
    for (const pair of this.#pairs) pair.delayMs = delayMs
  }

  /** From now on each connection carries only so much, each way. */
  narrow(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond
    for (const pair of this.#pairs) pair.bytesPerSecond = bytesPerSecond
  }

  async close(): Promise<void> {
    this.cut('reset')
    await this.#close()
  }

  #join(near: Socket, port: number, hostname: string): void {
    if (this.#isRefusing) return near.resetAndDestroy() && undefined
    const pair = new Pair(near, connect(port, hostname), () => this.#pairs.delete(pair))
    this.#pairs.add(pair)
    pair.delayMs = this.#delayMs
    pair.bytesPerSecond = this.#bytesPerSecond
    for (const direction of this.#holding) pair.hold(direction)
  }
}

class Pair {
  delayMs = 0
  bytesPerSecond = Number.POSITIVE_INFINITY
  readonly #sockets: readonly [near: Socket, far: Socket]
  readonly #held = new Map<Direction, Buffer[]>()

  constructor(near: Socket, far: Socket, onGone: () => void) {
    this.#sockets = [near, far]
    for (const [from, to, direction] of [
      [near, far, 'up'],
      [far, near, 'down'],
    ] as const) {
      from.on('data', (bytes) => this.#carry(bytes, from, to, direction))
      from.on('error', () => to.destroy())
      from.on('end', () => to.end())
      from.on('close', () => {
        to.destroy()
        onGone()
      })
    }
  }

  end(how: 'closed' | 'reset'): void {
    for (const socket of this.#sockets) {
      if (how === 'closed') socket.end()
      else socket.resetAndDestroy()
    }
  }

  hold(direction: Direction): void {
    if (!this.#held.has(direction)) this.#held.set(direction, [])
  }

  release(): void {
    const held = [...this.#held]
    this.#held.clear()
    for (const [direction, all] of held) for (const bytes of all) this.#to(direction).write(bytes)
  }

  #carry(bytes: Buffer, from: Socket, to: Socket, direction: Direction): void {
    const held = this.#held.get(direction)
    if (held) held.push(bytes)
    else if (this.bytesPerSecond < Number.POSITIVE_INFINITY) this.#carrySlowly(bytes, from, to)
    else if (this.delayMs === 0) to.write(bytes)
    else setTimeout(() => to.destroyed || to.write(bytes), this.delayMs)
  }

  /** Nothing more is taken from the sender until this has gone. */
  #carrySlowly(bytes: Buffer, from: Socket, to: Socket): void {
    from.pause()
    const gone = (): void => {
      to.write(bytes)
      from.resume()
    }
    setTimeout(gone, (1_000 * bytes.length) / this.bytesPerSecond)
  }

  #to(direction: Direction): Socket {
    return this.#sockets[direction === 'up' ? 1 : 0]
  }
}

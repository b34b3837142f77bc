import { connect, type Socket } from 'node:net'

/** One keep-alive connection that sends a request at a time; as little as possible, for it shares the machine. */
export class Connection {
  readonly #socket: Socket
  readonly #head: string
  #buffer = ''
  #answered: ((answer: { readonly status: number; readonly body: string }) => void) | null = null

  constructor(url: URL, token: string | null) {
    this.#socket = connect(Number(url.port), url.hostname)
    this.#socket.setNoDelay(true)
    this.#socket.setEncoding('latin1')
    this.#head = `Host: ${url.host}\r\nContent-Type: application/json\r\n${token ? `Authorization: Bearer ${token}\r\n` : ''}`
    this.#socket.on('data', (chunk: string) => this.#read(chunk))
  }

  /** Resolves with the status of the answer. */
  put(path: string, body: object): Promise<number> {
    return this.send('PUT', path, body)
  }

  async send(method: 'PUT' | 'POST', path: string, body: object): Promise<number> {
    return (await this.exchange(method, path, body)).status
  }

  /** Resolves with the whole answer; its body is not decoded. */
  exchange(method: 'PUT' | 'POST', path: string, body: object): Promise<{ status: number; body: string }> {
    const text = JSON.stringify(body)
    return new Promise((resolve) => {
      this.#answered = resolve
      this.#socket.write(
        `${method} ${path} HTTP/1.1\r\n${this.#head}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      )
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #read(chunk: string): void {
    this.#buffer += chunk
    const end = this.#buffer.indexOf('\r\n\r\n')
    if (end === -1) return
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#buffer)?.[1] ?? 0)
    if (this.#buffer.length < end + 4 + length) return
    const status = Number(this.#buffer.slice(9, 12))
    const body = this.#buffer.slice(end + 4, end + 4 + length)
    this.#buffer = this.#buffer.slice(end + 4 + length)
    const answered = this.#answered
    this.#answered = null
    answered?.({ status, body })
  }
}

/** Conditional PUTs per second: each connection writes a small document of its own, each time on its newest version. */
export async function putsPerSecond(
  url: URL,
  token: string | null,
  connections: number,
  seconds: number,
): Promise<number> {
  const open = Array.from({ length: connections }, () => new Connection(url, token))
  const until = performance.now() + seconds * 1000
  let done = 0
  await Promise.all(
    open.map(async (connection, index) => {
      const path = `/documents/bench-${index}-${Math.floor(performance.now())}`
      for (let version = 0; performance.now() < until; version++) {
        const content = `A small document, number ${index}.\nIts second line says ${version}.\nThe end.`
        const status = await connection.put(path, { content, baseVersion: version })
        if (status >= 300) throw new Error(`PUT answered ${status}`)
        if (version > 0) done += 1
      }
    }),
  )
  for (const connection of open) connection.close()
  return done / seconds
}

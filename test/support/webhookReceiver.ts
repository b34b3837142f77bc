import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { invariant } from '../../server/foundation/assert.ts'
import { cloudEventFaults } from './cloudEvents.ts'
import { WaitLimit } from './waitFor.ts'

export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Where webhooks are received, each event of them a CloudEvent; answers with `status`, or never where that is null. */
export class Receiver {
  readonly received: Received[] = []
  status: number | null = 200
  answerHeaders: Record<string, string> = {}
  #server: Server | null = null
  #port = 0
  #changed: () => void = () => undefined

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += String(chunk)))
      request.on('end', () => {
        const message = JSON.parse(body)
        const faults = message.type === 'resync' ? [] : cloudEventFaults(message)
        invariant(faults.length === 0, `the server posted ${body}, where ${faults.join()}`)
        this.received.push({ headers: request.headers, body })
        if (this.status !== null) response.writeHead(this.status, this.answerHeaders).end()
        this.#changed()
      })
    })
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections()
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(null)))
    this.#server = null
  }

  get documents(): string[] {
    return this.received.map(({ body }) => JSON.parse(body).data.document)
  }

  /** Waits until so many have come; a retry may take some seconds. */
  async until(count: number): Promise<void> {
    const limit = new WaitLimit(() => `${count} deliveries, of ${this.received.length}`)
    while (this.received.length < count) await limit.race(new Promise<void>((resolve) => (this.#changed = resolve)))
    limit.end()
  }
}

import { cloudEventFaults } from './cloudEvents.ts'
import { invariant } from '../../server/foundation/assert.ts'

export interface StreamEvent {
  readonly id: string
  readonly type: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into events freely
  readonly data: any
}

/**
 * Reads `text/event-stream` as the HTML standard says (§9.2.6), but strictly: a field the server has no reason to
 * send, a carriage return, or an event whose data is not JSON is an error.
 */
export class EventStreamReader {
  readonly events: StreamEvent[] = []
  readonly comments: string[] = []
  /** Cursors that came without an event. */
  readonly bookmarks: string[] = []
  lastEventId = ''
  #rest = ''
  #id = ''
  #type = ''
  #data: string[] = []

  push(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
  }

  /** Whether the stream ended between two events. */
  get isWhole(): boolean {
    return this.#rest === '' && this.#data.length === 0
  }

  #line(line: string): void {
    invariant(!line.includes('\r'), 'lines end in a line feed')
    if (line === '') {
      this.#dispatch()
      return
    }
    if (line.startsWith(':')) {
      this.comments.push(line.slice(1).trim())
      return
    }
    const [, field, value = ''] = /^(id|event|data): (.*)$/.exec(line) ?? []
    invariant(field !== undefined, `the server sent the line ${line}`)
    if (field === 'id') this.#id = value
    else if (field === 'event') this.#type = value
    else this.#data.push(value)
  }

  #dispatch(): void {
    this.lastEventId = this.#id
    if (this.#data.length > 0) {
      const data: unknown = JSON.parse(this.#data.join('\n'))
      const isBare = this.#type === 'resync' || this.#type === 'bookmark'
      const faults = isBare ? [] : cloudEventFaults(data)
      invariant(faults.length === 0, `the server sent ${this.#data.join()}, where ${faults.join()}`)
      if (this.#type === 'bookmark') this.bookmarks.push(this.#id)
      else this.events.push({ id: this.#id, type: this.#type, data })
    }
    this.#type = ''
    this.#data = []
  }
}

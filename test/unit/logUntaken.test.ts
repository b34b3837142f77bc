import { Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { inFormat, StreamOutput } from '../../server/http/logOutput.ts'

const MEBIBYTE = 1024 * 1024

/** Takes what is written while `takes` says so, fails it while it says why not, and keeps it waiting while it says nothing. */
class Reader extends Writable {
  takes: true | 'a part' | Error | null = true
  taken = ''
  #waiting: (() => void) | null = null

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const end = (): void => {
      if (this.takes === true) this.taken += chunk.toString()
      if (this.takes === 'a part') this.taken += chunk.toString().slice(0, -10)
      done(this.takes instanceof Error ? this.takes : null)
    }
    if (this.takes === null) this.#waiting = end
    else end()
  }

  /** As that of a process, whose streams are not destroyed. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    done(error)
    const undestroy: unknown = Reflect.get(this, '_undestroy')
    if (typeof undestroy === 'function') Reflect.apply(undestroy, this, [])
  }

  goOn(): void {
    this.takes = true
    this.#waiting?.()
    this.#waiting = null
  }

  get lines(): Record<string, unknown>[] {
    return this.taken
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  }
}

const line = (facts: object): string => `${JSON.stringify(facts)}\n`

describe('a log that nobody takes', () => {
  it('[OPS-10] waits up to a bound; past that lines are lost, and the next one says how many', async () => {
    const reader = new Reader()
    const output = new StreamOutput(reader)
    reader.takes = null
    let written = 0
    for (; output.lost < 1_000; written += 1) {
      output.write(line({ n: written, filler: 'x'.repeat(1_000) }))
      if (written % 100 === 0) await nextTurn()
      expect(written).toBeLessThan(10_000)
    }
    expect(reader.writableLength).toBeLessThan(4.1 * MEBIBYTE)
    reader.goOn()
    await nextTurn()
    output.write(line({ n: 'next' }))
    await nextTurn()
    const kept = written - 1_000
    expect(reader.lines.map(({ n }) => n)).toEqual([...Array.from({ length: kept }, (_, n) => n), undefined, 'next'])
    expect(reader.lines.at(-2)).toMatchObject({ level: 40, lost: 1_000 })
    expect(output.lost).toBe(1_000)
  })

  it('[OPS-10] is tried again once a second where it cannot be written, and tells of all that was lost', async () => {
    const reader = new Reader()
    let nowMs = 0
    const output = new StreamOutput(reader, () => nowMs)
    reader.takes = new Error('EPIPE')
    for (let n = 0; n < 30; n += 1) {
      output.write(line({ n }))
      await nextTurn()
      nowMs += 100
    }
    expect(output.lost).toBe(30)
    reader.takes = true
    nowMs += 1_000
    output.write(line({ n: 30 }))
    output.write(line({ n: 31 }))
    await nextTurn()
    expect(reader.lines).toMatchObject([{ lost: 30 }, { n: 30 }, { n: 31 }])
    expect(output.lost).toBe(30)
  })

  it('[OPS-10] tells of its loss in a line of its own where the last one is torn, as by a disk that fills', async () => {
    const reader = new Reader()
    let nowMs = 0
    const output = new StreamOutput(reader, () => nowMs)
    const log = async (facts: object): Promise<void> => {
      output.write(line(facts))
      await nextTurn()
      nowMs += 1_000
    }
    await log({ n: 1 })
    reader.takes = 'a part'
    await log({ n: 'torn' })
    reader.takes = new Error('ENOSPC')
    await log({ n: 'lost' })
    reader.takes = true
    await log({ n: 2 })
    await log({ n: 3 })
    const [first, torn, ...rest] = reader.taken.split('\n')
    expect([first, torn]).toEqual(['{"n":1}', line({ n: 'torn' }).slice(0, -10)])
    expect(rest.filter((one) => one !== '').map((one) => JSON.parse(one))).toMatchObject([
      { lost: 1 },
      { n: 2 },
      { n: 3 },
    ])
  })

  it('[OPS-10] tells of its loss in words where that is the format', async () => {
    const reader = new Reader()
    let nowMs = 0
    const output = new StreamOutput(reader, () => nowMs)
    const log = inFormat('pretty', output)
    reader.takes = new Error('ENOSPC')
    log.write(line({ level: 30, time: 0, msg: 'lost' }))
    await nextTurn()
    reader.takes = true
    nowMs = 2_000
    log.write(line({ level: 30, time: 0, msg: 'there again' }))
    await nextTurn()
    expect(reader.taken).toMatch(
      /^\n[\d:.]{12} warn {2}lines of the log were lost: nobody took them, or they could not be written {2}lost=1\n.*there again\n$/,
    )
  })
})

import { describe, expect, it } from 'vitest'
import { Outflow } from '../../server/sockets/outflow.ts'

/** A line that puts `framing` bytes around each write, until the network takes everything. */
function lineOf(framing: number) {
  let pending = 0
  const callbacks: (() => void)[] = []
  return {
    pendingBytes: () => pending,
    write: (bytes: Buffer, taken?: () => void): void => {
      pending += bytes.length + framing
      if (taken) callbacks.push(taken)
    },
    take(): void {
      pending = 0
      for (const taken of callbacks.splice(0)) taken()
    },
  }
}

describe('what is on its way to a reader', () => {
  it('[NOTE-6] is bounded to the byte; what is too much is not written', () => {
    const line = lineOf(0)
    const outflow = new Outflow(line, 1_000)
    expect(outflow.write(Buffer.alloc(1_000))).toBe(true)
    expect(outflow.write(Buffer.alloc(1))).toBe(false)
    expect(line.pendingBytes()).toBe(1_000)
  })

  it.each([0, 12])('[NOTE-6] makes whoever waits go on once taken, with framing of %d bytes', async (framing) => {
    for (let size = 200; size <= 260; size += 1) {
      const line = lineOf(framing)
      const outflow = new Outflow(line, 1_000)
      outflow.write(Buffer.alloc(size))
      const room = outflow.room()
      expect(room === null).toBe(size + framing <= 250)
      line.take()
      await room
      expect(outflow.room()).toBeNull()
    }
  })

  it('[NOTE-6] holds up nobody once it is closed', async () => {
    const outflow = new Outflow(lineOf(0), 1_000)
    outflow.write(Buffer.alloc(900))
    const room = outflow.room()
    outflow.close()
    await room
    expect(room).not.toBeNull()
    expect(outflow.room()).toBeNull()
  })
})

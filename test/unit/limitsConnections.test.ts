import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Connections } from '../../server/limits/connections.ts'

class Line extends EventEmitter {
  destroyed = false
  end(): void {
    this.destroyed = true
    this.emit('close')
  }
}

describe('[RATE-1] connections of a principal', () => {
  it('[RATE-1] are counted once each, until they end', () => {
    const connections = new Connections(2)
    const [first, second, third] = [new Line(), new Line(), new Line()]
    for (const line of [first, first, second, first]) expect(connections.hold(line, 'anna')).toBeNull()
    expect(connections.hold(third, 'anna')).toMatchObject({ code: 'too-many-requests' })
    expect(connections.hold(third, 'ben')).toBeNull()
    first.end()
    expect(connections.openOf('anna')).toBe(1)
    expect(connections.hold(new Line(), 'anna')).toBeNull()
    for (const line of [second, third]) line.end()
    expect([connections.openOf('anna'), connections.openOf('ben')]).toEqual([1, 0])
  })

  it('[RATE-1] that pass to another principal are theirs', () => {
    const connections = new Connections(1)
    const line = new Line()
    connections.hold(line, 'anna')
    connections.hold(line, 'ben')
    expect([connections.openOf('anna'), connections.openOf('ben')]).toEqual([0, 1])
    line.end()
    expect(connections.openOf('ben')).toBe(0)
  })

  it('[RATE-1] that ended while a token was looked at are not kept, and 0 is no limit', () => {
    const connections = new Connections(0)
    const line = new Line()
    line.end()
    connections.hold(line, 'anna')
    expect(connections.openOf('anna')).toBe(0)
    for (let n = 0; n < 5; n++) expect(connections.hold(new Line(), 'anna')).toBeNull()
  })
})

import { describe, expect, it } from 'vitest'
import { clientAddress, networkOf, parseNetworks } from '../../server/limits/addresses.ts'

const proxies = parseNetworks('10.0.0.0/8, ::1, 192.0.2.7') ?? []

describe('[RATE-1] the address a request comes from', () => {
  it.each([
    ['its connection, without a header', '198.51.100.1', undefined, '198.51.100.1'],
    ['its connection, whatever a stranger says', '198.51.100.1', '203.0.113.9', '198.51.100.1'],
    ['what a trusted proxy heard', '10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['the nearest that is not trusted', '10.1.2.3', '203.0.113.9, 198.51.100.4, 10.9.9.9', '198.51.100.4'],
    ['not what a client put before that', '::1', '1.1.1.1, 2.2.2.2, 203.0.113.9', '203.0.113.9'],
    ['the furthest proxy, where all are trusted', '10.1.2.3', '10.0.0.2, 10.0.0.1', '10.0.0.2'],
    ['the proxy, where it says nothing readable', '10.1.2.3', 'unknown', '10.1.2.3'],
    ['the last hop before something unreadable', '10.1.2.3', '203.0.113.9, _hidden, 10.0.0.1', '10.0.0.1'],
    ['the proxy, for an empty header', '10.1.2.3', '', '10.1.2.3'],
    ['without a port', '192.0.2.7', '203.0.113.9:4711', '203.0.113.9'],
    ['without a port, IPv6', '192.0.2.7', '[2001:db8::5]:4711', '2001:db8::5'],
    ['a mapped IPv4 address by its own name', '::ffff:198.51.100.1', undefined, '198.51.100.1'],
    ['by a mapped proxy as well', '::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['never an octal or short form', '10.1.2.3', '0177.1', '10.1.2.3'],
    ['unknown for no address', undefined, '203.0.113.9', 'unknown'],
  ])('is %s', (_what, connected, forwardedFor, expected) => {
    expect(clientAddress(proxies, connected, forwardedFor)).toBe(expected)
  })

  it('[RATE-1] is that of the connection where no proxy is trusted', () => {
    expect(clientAddress([], '10.1.2.3', '203.0.113.9')).toBe('10.1.2.3')
  })

  it('[RATE-1] is found in a header of any length at once', () => {
    const header = `203.0.113.9, ${'10.0.0.1, '.repeat(100_000)}10.0.0.2`
    expect(clientAddress(proxies, '10.1.2.3', header)).toBe('10.0.0.1')
  })

  it('[RATE-1] counts by /64 in IPv6', () => {
    expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
    expect(networkOf('2001:db8:1:2:ffff::1')).toBe(networkOf('2001:db8:1:2::9'))
    expect(networkOf('2001:db8:1:3::9')).not.toBe(networkOf('2001:db8:1:2::9'))
    expect(networkOf('198.51.100.1')).toBe('198.51.100.1')
  })

  it.each(['', '10.0.0.0/33', '::1/129', '10.0.0', 'localhost', '10.0.0.0/8/8', '10.0.0.0/', '1.2.3.4,', '0x7f.1'])(
    '[RATE-1] takes no list of proxies like %j',
    (text) => expect(parseNetworks(text)).toBeUndefined(),
  )
})

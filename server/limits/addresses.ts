import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
/** A range of addresses, as CIDR writes it. */
export type Network = readonly [Address, number]

/** What one household or machine gets of IPv6 at the least: who has one address of it has them all. */
const IPV6_PREFIX_BITS = 64
/** Hops that are looked at; a longer list is no route that a request took. */
const MAX_HOPS = 32

/** A comma list of addresses and CIDR ranges; undefined where it is none. */
export function parseNetworks(text: string): readonly Network[] | undefined {
  const networks: Network[] = []
  for (const part of text.split(',')) {
    const network = parseNetwork(part.trim())
    if (network === undefined) return undefined
    networks.push(network)
  }
  return networks
}

function parseNetwork(text: string): Network | undefined {
  const [base = '', bits, ...more] = text.split('/')
  const address = parseAddress(base)
  if (address === undefined || more.length > 0) return undefined
  const length = address instanceof ipaddr.IPv4 ? 32 : 128
  if (bits === undefined) return [address, length]
  return /^[0-9]{1,3}$/.test(bits) && Number(bits) <= length ? [address, Number(bits)] : undefined
}

/** IPv4 in IPv6's clothes is IPv4, or a proxy would be known by one of its names only. */
function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text)
  return text.includes(':') && ipaddr.IPv6.isValid(text) ? ipaddr.process(text) : undefined
}

const isIn = (networks: readonly Network[], address: Address): boolean =>
  networks.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits))

/**
 * The address a request comes from: that of its connection, and behind proxies that are trusted the nearest one in
 * `X-Forwarded-For` that is none of them. Each proxy adds on the right whom it heard, so what stands further left was
 * said by somebody who is not trusted. An entry that is no address ends the list: who wrote it is the client.
 */
export function clientAddress(
  trusted: readonly Network[],
  connected: string | undefined,
  forwardedFor: string | undefined,
): string {
  let client = parseAddress(connected ?? '')
  if (client === undefined) return 'unknown'
  if (forwardedFor !== undefined && trusted.length > 0) {
    const hops = forwardedFor.split(',').slice(-MAX_HOPS)
    while (isIn(trusted, client)) {
      const next = parseAddress(withoutPort(hops.pop() ?? ''))
      if (next === undefined) break
      client = next
    }
  }
  return client.toString()
}

/** Some proxies write `192.0.2.1:5000` or `[2001:db8::1]:5000`. */
function withoutPort(hop: string): string {
  const text = hop.trim()
  return /^\[(.*)\](?::[0-9]+)?$/.exec(text)?.[1] ?? /^([0-9.]+):[0-9]+$/.exec(text)?.[1] ?? text
}

/** By what failed attempts are counted: the address, and of IPv6 its /64. */
export function networkOf(address: string): string {
  const parsed = parseAddress(address)
  if (parsed === undefined || parsed instanceof ipaddr.IPv4) return address
  const parts = parsed.parts.map((part, index) => (index < IPV6_PREFIX_BITS / 16 ? part : 0))
  return `${new ipaddr.IPv6(parts).toString()}/${IPV6_PREFIX_BITS}`
}

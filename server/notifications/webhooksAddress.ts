/**
 * Which addresses a webhook may reach: those of the public Internet only, or whoever registers one could make this
 * server call services that are open to it alone.
 */
import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** The part of IPv6 that is given out for the public Internet (RFC 4291 §2.4, IANA). */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

/** False for private, loopback, link-local, shared (RFC 6598), mapped, tunnelled and reserved ones, and for no address. */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.parse(text)
  if (address.range() !== 'unicast') return false
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST)
}

/** Whether the host of a URL names a place that is not public. For other names only their look-up can tell. */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  if (ipaddr.isValid(host)) return !isPublicAddress(host)
  return /(^|\.)localhost\.?$/i.test(host)
}

type ResolveAll = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * A look-up for `net.connect` that answers public addresses only. It is asked for each connection, so that a name
 * that leads elsewhere the second time gains nothing.
 */
export function publicLookup(resolve: ResolveAll = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) {
        callback(error, [])
        return
      }
      const allowed = addresses.filter(({ address }) => isPublicAddress(address))
      const [first] = allowed
      if (first === undefined) callback(new AddressRefused(), [])
      else if (options.all === true) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }
}

/** The name of a receiver leads to no address that may be reached. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
  readonly code = 'address-refused'
}

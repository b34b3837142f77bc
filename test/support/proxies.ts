/**
 * Proxies as people have them in front of a server, small ones of our own that do to requests and answers what nginx and
 * Apache do by default (their real packages are not to be had in every place where these tests run).
 */
import { createServer, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { createGzip } from 'node:zlib'

export interface Proxy {
  readonly url: string
  stop(): Promise<void>
}

export interface ProxyOptions {
  /** Where requests go. */
  readonly upstream: string
  /** `/parley`, under which the server is shown. */
  readonly prefix?: string
  /** Whether the prefix is taken away: `proxy_pass http://host/;` against `proxy_pass http://host;`. */
  readonly strips?: boolean
  /** To the headers of a request, on the way up. */
  readonly up?: (headers: Record<string, string>) => void
  /**
   * What compressing makes of a tag; null drops it. Absent: answers are left as they are.
   */
  readonly renames?: (tag: string) => string | null
}

/**
 * nginx with `proxy_pass` and `gzip on`: one connection a request, `Host` of the upstream, and a compressed answer has a weak
 * tag (ngx_http_clear_etag weakens it since 1.7.3).
 */
export const nginxLike = (options: ProxyOptions): Promise<Proxy> =>
  startProxy({
    ...options,
    up: (headers) => {
      headers['connection'] = 'close'
      headers['host'] = new URL(options.upstream).host
      delete headers['accept-encoding']
    },
    renames: (tag) => (tag.startsWith('W/') ? tag : `W/${tag}`),
  })

/** Apache with `ProxyPass` and mod_deflate: forwarding headers, and a compressed answer has `-gzip` within its tag. */
export const apacheLike = (options: ProxyOptions): Promise<Proxy> =>
  startProxy({
    ...options,
    up: (headers) => {
      headers['x-forwarded-for'] = '192.0.2.1'
      headers['x-forwarded-host'] = headers['host'] ?? ''
      headers['host'] = new URL(options.upstream).host
      delete headers['accept-encoding']
    },
    renames: (tag) => tag.replace(/"$/, '-gzip"'),
  })

/** One that compresses and takes the tag away, as some networks for content do. */
export const tagDropping = (options: ProxyOptions): Promise<Proxy> =>
  startProxy({ ...options, up: (headers) => void delete headers['accept-encoding'], renames: () => null })

/** One that passes everything on, `Host` as well. */
export const passing = (options: ProxyOptions): Promise<Proxy> => startProxy(options)

const OF_CONNECTIONS = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'http2-settings']

async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const { upstream, up, renames } = options
  const proxy = createServer((request, answer) => {
    const path = pathUp(request.url ?? '/', options)
    if (path === null) {
      answer.writeHead(404).end()
      return
    }
    const headers = plainHeaders(request.headers)
    for (const name of OF_CONNECTIONS) delete headers[name]
    up?.(headers)
    const sent = httpRequest(upstream + path, { method: request.method ?? 'GET', headers, agent: false }, (got) => {
      const kept = plainHeaders(got.headers)
      for (const name of OF_CONNECTIONS) delete kept[name]
      const compresses = renames !== undefined && isCompressible(request, got)
      if (compresses) compressed(kept, renames)
      answer.writeHead(got.statusCode ?? 502, kept)
      if (compresses) got.pipe(createGzip()).pipe(answer)
      else got.pipe(answer)
      answer.once('close', () => got.destroy())
    })
    sent.on('error', () => answer.destroy())
    request.pipe(sent)
  })
  const upgraded = new Set<Duplex>()
  proxy.on('upgrade', (request, socket, head) => {
    const { hostname, port } = new URL(upstream)
    const line = connect(Number(port), hostname)
    const fields: string[] = []
    for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
      fields.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`)
    }
    line.write(`GET ${pathUp(request.url ?? '/', options)} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
    line.write(head)
    line.pipe(socket).pipe(line)
    for (const end of [line, socket]) {
      end.on('error', () => end.destroy())
      upgraded.add(end)
      end.once('close', () => upgraded.delete(end))
    }
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${options.prefix ?? ''}`,
    stop: () =>
      new Promise((resolve) => {
        proxy.close(() => resolve())
        proxy.closeAllConnections()
        for (const end of upgraded) end.destroy()
      }),
  }
}

function pathUp(url: string, { prefix = '', strips = true }: ProxyOptions): string | null {
  if (!url.startsWith(prefix)) return null
  return strips ? url.slice(prefix.length) || '/' : url
}

const plainHeaders = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

const isCompressible = ({ headers, method }: IncomingMessage, got: IncomingMessage): boolean =>
  method === 'GET' &&
  got.statusCode === 200 &&
  /gzip/.test(String(headers['accept-encoding'])) &&
  got.headers['content-encoding'] === undefined &&
  !/event-stream/.test(String(got.headers['content-type']))

function compressed(headers: Record<string, string>, renames: (tag: string) => string | null): void {
  delete headers['content-length']
  headers['content-encoding'] = 'gzip'
  headers['vary'] = `${headers['vary'] ?? ''}, Accept-Encoding`
  const tag = headers['etag'] === undefined ? null : renames(headers['etag'])
  if (tag === null) delete headers['etag']
  else headers['etag'] = tag
}

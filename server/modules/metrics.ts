import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Meter } from '../operations/meter.ts'
import type { Config } from '../config.ts'
import type { Module } from './module.ts'

/** Prometheus asks every few seconds on one connection; more askers than these are not monitoring. */
const MAX_CONNECTIONS = 20
/** So that a slow or silent one gives its place back soon. */
const TIMEOUTS = { headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 }

/**
 * `GET /metrics` on a port of its own (SPEC OPS-1), which is for the inside of a network: what asks needs no token, so
 * that no monitoring holds a key to the documents, and no document's door shows how busy a server is.
 */
export function metricsModule({ host, metricsPort }: Config, modules: readonly Module[]): Module {
  const name = 'metrics'
  if (metricsPort === null) return { name }
  const meter = new Meter()
  for (const { measure } of modules) measure?.(meter)
  const server = metricsServer(meter)
  return {
    name,
    start: async () => {
      await listen(server, { host, port: metricsPort })
    },
    stop: {
      deadlineMs: 100,
      run: async () => {
        server.close()
        server.closeAllConnections()
      },
    },
  }
}

function metricsServer(meter: Meter): Server {
  const server = createServer(TIMEOUTS, (request, response) => {
    if (request.url !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404).end()
      return
    }
    meter.text().then(
      (text) => response.writeHead(200, { 'Content-Type': meter.contentType, 'Cache-Control': 'no-store' }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  server.maxConnections = MAX_CONNECTIONS
  return server
}

function listen(server: Server, where: { readonly host: string; readonly port: number }): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      const address = server.address()
      if (address !== null && typeof address === 'object') resolve(address)
    })
  })
}

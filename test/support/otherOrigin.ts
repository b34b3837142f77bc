import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

export interface OtherOrigin {
  readonly origin: string
  stop(): Promise<void>
}

/** A site of its own, whose only page has the stock clients of `otherOriginPage.mjs` as `clients`. */
export async function startOtherOrigin(): Promise<OtherOrigin> {
  const script = await bundled(fileURLToPath(new URL('otherOriginPage.mjs', import.meta.url)))
  const site = createServer((request, answer) => {
    const isScript = request.url === '/clients.js'
    answer.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    answer.end(isScript ? script : '<!doctype html><title>another</title><script src="/clients.js"></script>')
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(site.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        site.close(() => resolve())
        site.closeAllConnections()
      }),
  }
}

async function bundled(entry: string): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, minify: false, lib: { entry, formats: ['iife'], name: 'page' } },
  })
  const [result] = [built].flat()
  if (result === undefined || !('output' in result)) throw new Error('the clients were not built')
  return result.output[0].code
}

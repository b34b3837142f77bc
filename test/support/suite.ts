import { afterAll, beforeAll } from 'vitest'
import type { Caller, TestServer } from './server.ts'

/** A server of a group of tests, and who calls it. */
export type SuiteServer<S extends TestServer> = S & {
  /** A client that acts as `sub`, once the tests run. */
  caller(sub: string, access?: Record<string, string[]>): Caller
}

/** The server that `start` makes, from before the first test of the file or group to after the last. */
export function suiteServer<S extends TestServer>(start: () => Promise<S>): SuiteServer<S> {
  let server: S | null = null
  const callers: { readonly sub: string; readonly access?: Record<string, string[]>; made: Caller | null }[] = []
  beforeAll(async () => {
    server = await start()
    for (const one of callers) one.made = await server.as(one.sub, one.access)
  })
  afterAll(() => server?.stop())
  const caller = (sub: string, access?: Record<string, string[]>): Caller => {
    const one = { sub, ...(access && { access }), made: null }
    callers.push(one)
    return later<Caller>(() => one.made)
  }
  return new Proxy(
    later<S>(() => server),
    {
      get: (target, name, receiver) => (name === 'caller' ? caller : Reflect.get(target, name, receiver)),
    },
  ) as SuiteServer<S>
}

/** Stands for what is there only once the tests run. */
function later<T extends object>(get: () => T | null): T {
  return new Proxy({} as T, {
    get(_, name) {
      const value = get()
      if (value === null) throw new Error(`${String(name)} was asked for before the tests run`)
      return Reflect.get(value, name, value)
    },
  })
}

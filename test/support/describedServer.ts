import { startTestServer, type TestServer } from './server.ts'

/** A server that says where it is, as one behind a proxy does. */
export const describedServer = (): Promise<TestServer> =>
  startTestServer({ variables: { PARLEY_PUBLIC_URL: 'https://parley.example' } })

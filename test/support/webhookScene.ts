import { Webhook as StandardWebhook } from 'standardwebhooks'
import { onTestFinished } from 'vitest'
import { startTestServer, type TestServer } from './server.ts'
import { suiteServer, type SuiteServer } from './suite.ts'
import { Receiver, type Received } from './webhookReceiver.ts'

/** Where webhooks are registered. */
export const WEBHOOKS_PATH = '/conflict-notifications'

/** The server of a file whose webhooks are received on this machine. */
export const webhookServer = (): SuiteServer<TestServer> =>
  suiteServer(() => startTestServer({ variables: { PARLEY_WEBHOOK_PRIVATE: 'true' } }))

/** A receiver, until the end of the test. */
export async function listening(): Promise<Receiver> {
  const receiver = new Receiver()
  await receiver.listen()
  onTestFinished(() => receiver.close())
  return receiver
}

/** What the stock library of Standard Webhooks reads in a delivery; it throws where the signature is wrong. */
export function verified(secret: string, { headers, body }: Received): unknown {
  const flat = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  return new StandardWebhook(secret).verify(body, flat)
}

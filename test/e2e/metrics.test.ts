import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Storage } from '../../server/storage/storage.ts'
import { startTestServer, type Caller, type TestServer } from '../support/server.ts'
import { StockClient } from '../support/stockClient.ts'
import { Receiver } from '../support/webhookReceiver.ts'

let server: TestServer
let metricsUrl: string
let ann: Caller
let ben: Caller
beforeAll(async () => {
  const port = await freePort()
  metricsUrl = `http://127.0.0.1:${port}/metrics`
  server = await startTestServer({
    variables: { PARLEY_METRICS_PORT: String(port), PARLEY_WEBHOOK_PRIVATE: 'true', PARLEY_RATE_TOKEN: '1' },
    internals: { wrapStorage: onSlowDisk },
  })
  ann = await server.as('ann')
  ben = await server.as('ben')
})
afterAll(() => server.stop())

/** How much longer the disk takes for each commit than it does. */
let slowerMs = 0
const onSlowDisk = (storage: Storage): Storage =>
  new Proxy(storage, {
    get(target, name) {
      if (name === 'onBatch') {
        return (listener: Parameters<Storage['onBatch']>[0]) =>
          target.onBatch((batch) => listener({ ...batch, commitMs: batch.commitMs + slowerMs }))
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Every sample by its name and labels, as the text has them. */
async function samples(): Promise<Map<string, number>> {
  const text = await (await fetch(metricsUrl)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

/** By how much a sample moves while something is done. */
async function movement(act: () => Promise<unknown>): Promise<(sample: string) => number> {
  const before = await samples()
  await act()
  const after = await samples()
  return (sample) => (after.get(sample) ?? 0) - (before.get(sample) ?? 0)
}

/** A conflict over the first line, and its id. */
async function conflictOn(id: string): Promise<string> {
  await ann.post('/documents', { id, kind: 'text', content: 'one' })
  await ann.put(`/documents/${id}`, { content: 'two', baseVersion: 1 })
  const { body } = await ben.put(`/documents/${id}`, { content: 'three', baseVersion: 1 })
  return body.conflict.id
}

describe('[OPS-1] metrics', () => {
  it('[OPS-1] are not on the door of the documents', async () => {
    expect((await ann.get('/metrics')).status).toBe(404)
    expect((await fetch(metricsUrl.replace('/metrics', '/documents'))).status).toBe(404)
  })

  it('[OPS-1] count versions, requests by route, commits and conflicts as they come', async () => {
    const moved = await movement(() => conflictOn('doc'))
    expect(moved('parley_versions_total{origin="create"}')).toBe(1)
    expect(moved('parley_versions_total{origin="write"}')).toBe(1)
    expect(moved('parley_conflicts_opened_total{kind="stale-write",policy="manual"}')).toBe(1)
    expect(moved('parley_http_requests_total{method="PUT",route="/documents/:id",status="200"}')).toBe(1)
    expect(moved('parley_http_requests_total{method="PUT",route="/documents/:id",status="409"}')).toBe(1)
    expect(moved('parley_http_request_seconds_count')).toBe(3)
    expect(moved('parley_commit_seconds_count')).toBeGreaterThanOrEqual(3)
    expect(moved('parley_commit_operations_sum')).toBeGreaterThanOrEqual(3)
    expect(moved('parley_notification_lag_seconds_count')).toBeGreaterThanOrEqual(3)
  })

  it('[OPS-1] count how conflicts end, and how long they were open', async () => {
    const conflictId = await conflictOn('ended')
    const moved = await movement(() => ben.post('/resolve-conflict', { conflictId, baseVersion: 2, use: 'incoming' }))
    expect(moved('parley_conflicts_closed_total{kind="stale-write",outcome="resolved: incoming"}')).toBe(1)
    expect(moved('parley_conflict_open_seconds_count{kind="stale-write"}')).toBe(1)
    const dismissed = await conflictOn('dismissed')
    const again = await movement(() => ben.post('/resolve-conflict', { conflictId: dismissed, dismiss: true }))
    expect(again('parley_conflicts_closed_total{kind="stale-write",outcome="dismissed"}')).toBe(1)
  })

  it('[OPS-1] tell what became of posts to webhooks', async () => {
    const receiver = new Receiver()
    await receiver.listen()
    await ann.post('/conflict-notifications', { url: receiver.url, documents: ['hooked'] })
    const moved = await movement(async () => {
      await conflictOn('hooked')
      await receiver.until(1)
      await expect
        .poll(async () => (await samples()).get('parley_webhook_attempts_total{result="delivered"}'))
        .toBeGreaterThan(0)
    })
    expect(moved('parley_webhook_attempts_total{result="delivered"}')).toBeGreaterThan(0)
    await receiver.close()
  })

  it('[OPS-1] tell of a receiver that refuses', async () => {
    const receiver = new Receiver()
    receiver.status = 500
    await receiver.listen()
    const hook = await ann.post('/conflict-notifications', { url: receiver.url, documents: ['refused'] })
    const moved = await movement(async () => {
      await conflictOn('refused')
      await receiver.until(1)
      await expect
        .poll(async () => (await samples()).get('parley_webhook_attempts_total{result="pending"}'))
        .toBeGreaterThan(0)
    })
    expect(moved('parley_webhook_attempts_total{result="pending"}')).toBeGreaterThan(0)
    await ann.delete(`/conflict-notifications/${hook.body.id}`)
    await receiver.close()
  })

  it('[OPS-1] tell of a slow disk', async () => {
    slowerMs = 2_000
    const moved = await movement(() => ann.post('/documents', { id: 'slow', kind: 'text' }))
    slowerMs = 0
    const commits = moved('parley_commit_seconds_count')
    expect(commits).toBeGreaterThan(0)
    expect(moved('parley_commit_seconds_sum')).toBeGreaterThanOrEqual(2 * commits)
    // The alert looks at what took longer than a second.
    expect(moved('parley_commit_seconds_bucket{le="1"}')).toBe(0)
  })

  it('[OPS-1] tell who is there, and what is in memory for them', async () => {
    await ann.post('/documents', { id: 'busy', kind: 'text', content: 'x'.repeat(50_000) })
    const leaving = new AbortController()
    const before = await samples()
    const client = new StockClient(`${server.url.replace(/^http/, 'ws')}/sync`, 'busy', { token: ann.token })
    onTestFinished(() => client.destroy())
    await client.synced()
    await fetch(`${server.url}/conflict-notifications`, {
      headers: { authorization: `Bearer ${ann.token}`, accept: 'text/event-stream' },
      signal: leaving.signal,
    })
    const after = await samples()
    for (const one of ['parley_sessions{protocol="y-websocket"}', 'parley_notification_readers{transport="sse"}'])
      expect((after.get(one) ?? 0) - (before.get(one) ?? 0), one).toBe(1)
    expect(after.get('parley_documents_loaded')).toBeGreaterThan(0)
    expect(after.get('parley_documents_loaded_bytes')).toBeGreaterThan(50_000)
    client.destroy()
    leaving.abort()
    await expect.poll(async () => (await samples()).get('parley_sessions{protocol="y-websocket"}')).toBe(0)
  })

  it('[OPS-1] [RATE-1] count what rate limits refuse, by class and by whom it is counted', async () => {
    const ask = () => ann.post('/tokens', {})
    const moved = await movement(async () => [await ask(), await ask(), await ask()])
    expect(moved('parley_rate_limited_total{class="token",by="principal"}')).toBe(2)
  })

  it('[OPS-1] on a port that is taken keep the server from starting, and the database is let go', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-metrics-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const variables = { PARLEY_DATABASE: join(folder, 'test.db') }
    const taken = { ...variables, PARLEY_METRICS_PORT: new URL(metricsUrl).port }
    await expect(startTestServer({ variables: taken })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await (await startTestServer({ variables })).stop()
  })

  it('[OPS-1] show no id, person or path in a label', async () => {
    await conflictOn('a-document-of-ann')
    await ann.get('/documents/no-such-document')
    await ann.get('/no-such-route')
    const names = [...(await samples()).keys()].join('\n')
    for (const word of ['a-document-of-ann', 'no-such-document', 'no-such-route', 'ann"', 'ben"', 'cfl_'])
      expect(names).not.toContain(word)
    expect(names).toContain('parley_http_requests_total{method="any",route="unknown",status="404"}')
  })

  it.each(['alerts.yml', 'grafana.json'])('[OPS-1] docs/operations/%s names metrics that exist', async (file) => {
    const text = readFileSync(new URL(`../../docs/operations/${file}`, import.meta.url), 'utf8')
    const named = new Set(text.match(/\b(?:parley|nodejs|process)_[a-z0-9_]+/g))
    const known = await (await fetch(metricsUrl)).text()
    expect(named.size).toBeGreaterThan(8)
    for (const name of named) {
      const metric = name.replace(/_(bucket|sum|count)$/, '')
      expect(known).toMatch(new RegExp(`^# TYPE (${name}|${metric}) `, 'm'))
    }
  })
})

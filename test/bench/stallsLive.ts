import { once } from 'node:events'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { frames, readFrame } from '../support/rawClient.ts'
import { connectClient, type BenchClient } from './client.ts'
import { createDocument, KIBIBYTE, prose } from './stallScene.ts'
import type { Scene, StallingAct } from './stallingAct.ts'

/** Longer than any act may take: then its server is stopped. */
const PATIENCE_MS = 120_000

/** Acts of live editors. */
export const LIVE_ACTS: readonly StallingAct[] = [
  {
    name: 'a paste of # KiB',
    sizes: [100, 1_000, 10_000],
    async prepare(scene, size) {
      await makeText(scene, '')
      const [typist, reader] = await Promise.all([stock(scene), stock(scene)])
      return async () => {
        typist.text.insert(0, prose(size * KIBIBYTE))
        await until(() => reader.text.length === typist.text.length)
        return () => [typist, reader].forEach((one) => one.destroy())
      }
    },
  },
  {
    name: 'a PUT of # KiB that an editor watches',
    sizes: [1_000, 10_000],
    async prepare(scene, size) {
      await makeText(scene, 'one')
      const reader = await stock(scene)
      return async () => {
        const content = prose(size * KIBIBYTE)
        await scene.writer.put(`/documents/${scene.id}`, { content, baseVersion: 1 })
        await until(() => reader.text.length === content.length)
        return () => reader.destroy()
      }
    },
  },
  {
    name: '# keystrokes behind a lock, at its end',
    sizes: [1_000, 12_000, 40_000],
    async prepare(scene, size) {
      await makeText(scene, 'one')
      const typist = await stock(scene)
      const lock = await scene.writer.post(`/documents/${scene.id}/lock`, { ttlSeconds: 3_600 })
      await scene.writer.put(`/documents/${scene.id}`, { content: 'one two', baseVersion: 1 }, lockOf(lock.body.token))
      await until(() => typist.text.length === 7)
      for (let n = 0; n < size; n++) typist.text.insert(n, 'x')
      await settled(typist)
      return async () => {
        await scene.writer.delete(`/documents/${scene.id}/lock`, lockOf(lock.body.token))
        await until(async () => (await versionOf(scene)) >= 3)
        return () => typist.destroy()
      }
    },
  },
  {
    name: '# one-letter updates between a SyncStep1 and two SyncStep2',
    sizes: [3_000, 30_000],
    async prepare(scene, size) {
      await makeText(scene, 'one')
      const socket = await raw(scene)
      const updates = keystrokes(size)
      return async () => {
        socket.send(frames.syncStep1(Y.encodeStateVector(new Map([[9, 0]]))))
        for (const update of updates) socket.send(frames.update(update))
        for (let n = 0; n < 2; n++) socket.send(frames.syncStep2(Uint8Array.of(0, 0)))
        await until(async () => (await versionOf(scene)) >= 2)
        return () => socket.terminate()
      }
    },
  },
  {
    name: '# updates in one go',
    sizes: [1_000, 15_000],
    async prepare(scene, size) {
      await makeText(scene, '')
      const [socket, reader] = [await raw(scene), await stock(scene)]
      const updates = keystrokes(size)
      return async () => {
        for (const update of updates) socket.send(frames.update(update))
        await until(() => reader.text.length >= size)
        return () => (socket.terminate(), reader.destroy())
      }
    },
  },
  {
    name: 'an editor that brings # pieces of 150 bytes of its own',
    sizes: [6_000, 60_000],
    async prepare(scene, size) {
      await makeText(scene, 'one')
      const doc = new Y.Doc()
      const text = doc.getText('content')
      // Each at a place of its own, so that none joins another.
      doc.transact(() => {
        for (let n = 0; n < size; n++) text.insert((n * 7919) % (text.length + 1), prose(1).repeat(3))
      })
      return async () => {
        const client = connectClient(socketUrl(scene), scene.id, { token: scene.token }, doc)
        await until(async () => (await versionOf(scene)) >= 2)
        return () => client.destroy()
      }
    },
  },
  {
    name: 'opening a document of # edit sessions with deletions',
    sizes: [8_000, 85_000],
    async prepare(scene, size) {
      await makeText(scene, '')
      const author = await raw(scene)
      author.send(frames.update(manySessions(size)))
      await until(async () => (await versionOf(scene)) >= 2)
      return async () => {
        const client = await stock(scene)
        return () => (client.destroy(), author.terminate())
      }
    },
  },
  {
    name: 'fifteen SyncStep1 in a row, of a document of # KiB',
    sizes: [1_000, 10_000],
    async prepare(scene, size) {
      await makeText(scene, prose(size * KIBIBYTE))
      const other = await stock(scene)
      const [writer = 0] = other.doc.store.clients.keys()
      other.destroy()
      const socket = await raw(scene)
      const counted = answers(socket)
      socket.send(frames.syncStep1(Y.encodeStateVector(new Map([[writer, 1]]))))
      socket.send(frames.syncStep2(Uint8Array.of(0, 0)))
      await until(() => counted() >= 1)
      return async () => {
        // They have something else each time, so that none is answered what another was.
        for (let n = 1; n <= 15; n++) socket.send(frames.syncStep1(Y.encodeStateVector(new Map([[writer, n * 100]]))))
        await until(() => counted() >= 2)
        return () => socket.terminate()
      }
    },
  },
]

const socketUrl = ({ parley }: Scene): string => `${parley.url.replace('http', 'ws')}/sync`
const lockOf = (token: string): Record<string, string> => ({ 'lock-token': token })

const makeText = (scene: Scene, content: string): Promise<void> => createDocument(scene, { kind: 'text', content })

/** Asked in a way that does not carry the content. */
async function versionOf({ writer, id }: Scene): Promise<number> {
  const { body } = await writer.get(`/documents?pattern=${id}`)
  return Number(body.items[0].version)
}

async function stock(scene: Scene): Promise<BenchClient> {
  const client = connectClient(socketUrl(scene), scene.id, { token: scene.token })
  await client.synced()
  return client
}

/** All that it has typed has left it. */
async function settled({ provider }: BenchClient): Promise<void> {
  await until(() => (provider.ws?.bufferedAmount ?? 0) === 0)
}

async function raw(scene: Scene): Promise<WebSocket> {
  const socket = new WebSocket(`${socketUrl(scene)}/${scene.id}?token=${scene.token}`)
  await once(socket, 'open')
  return socket
}

/** How many SyncStep2 have come. */
function answers(socket: WebSocket): () => number {
  let count = 0
  socket.on('message', (data: Buffer) => {
    if (readFrame(Uint8Array.from(data)).type === 'sync-step-2') count += 1
  })
  return () => count
}

function keystrokes(count: number): Uint8Array[] {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  for (let n = 0; n < count; n++) doc.getText('content').insert(n, 'x')
  return updates
}

/** So many clients, each of which wrote ten characters at the end and took one of the last out. */
function manySessions(count: number): Uint8Array {
  const doc = new Y.Doc()
  const text = doc.getText('content')
  // At once: Yjs goes through all clients at the end of each transaction.
  doc.transact(() => {
    for (let client = 1; client <= count; client++) {
      doc.clientID = client * 40_009
      text.insert(text.length, '0123456789')
      text.delete(text.length - 5, 1)
    }
  })
  return Y.encodeStateAsUpdate(doc)
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const startedMs = performance.now()
  while (!(await isSo())) {
    if (performance.now() - startedMs > PATIENCE_MS) throw new Error('the server takes too long')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

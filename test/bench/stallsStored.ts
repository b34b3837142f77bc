import { caller } from '../support/server.ts'
import { answered, createDocument, MEBIBYTE, prose } from './stallScene.ts'
import type { Scene, StallingAct } from './stallingAct.ts'
import { benchToken } from './token.ts'

/** Refused writes that are sent at one time. */
const AT_ONCE = 32
/** One author has so many open conflicts on a document at most, and one. */
const OF_ONE_AUTHOR = 100

/** Acts that have little to do with what is stored beside, or far behind, what they ask for. */
export const STORED_ACTS: readonly StallingAct[] = [
  {
    name: '20 writes to a document beside # rows of 5 MiB',
    sizes: [4, 30],
    async prepare(scene, size) {
      await createDocument({ ...scene, id: `${scene.id}-small` }, { kind: 'text', content: 'small' })
      await makeRewrites(scene, size, 5 * MEBIBYTE)
      return async () => {
        for (let version = 1; version <= 20; version++) {
          const content = `small, ${version} times`
          const path = `/documents/${scene.id}-small`
          await answered(scene.writer.put(path, { content, baseVersion: version }), 200)
        }
        return nothing
      }
    },
  },
  {
    name: 'a list of # versions that rewrote 1 MiB each',
    sizes: [10, 60],
    async prepare(scene, size) {
      await makeRewrites(scene, size, MEBIBYTE)
      return async () => {
        await answered(scene.writer.get(`/documents/${scene.id}/versions?limit=500`), 200)
        return nothing
      }
    },
  },
  {
    name: 'blame of # versions that rewrote 1 MiB each',
    sizes: [10, 60],
    async prepare(scene, size) {
      await makeRewrites(scene, size, MEBIBYTE)
      return async () => {
        await answered(scene.writer.get(`/documents/${scene.id}/blame`), 200)
        return nothing
      }
    },
  },
  {
    name: 'lists among # open conflicts that a token of 300 patterns may not read',
    sizes: [1_000, 20_000],
    async prepare(scene, size) {
      await makeConflicts(scene, size)
      const patterns = Array.from({ length: 300 }, (_, n) => `elsewhere-${n}-*`)
      const narrow = caller(() => scene.parley.url, await benchToken('narrow', ['read'], patterns))
      return async () => {
        for (const query of ['', '?status=open', '?status=open&kind=stale-write'])
          await answered(narrow.get(`/conflicts${query}`), 200)
        return nothing
      }
    },
  },
  {
    name: 'lists of # open conflicts of one document, and its deletion',
    sizes: [1_000, 20_000],
    async prepare(scene, size) {
      await makeConflicts(scene, size)
      const admin = caller(() => scene.parley.url, await benchToken('admin', ['read', 'write', 'resolve', 'admin']))
      return async () => {
        for (const query of ['&status=open', '&status=resolved', '&status=open&kind=concurrent-edit'])
          await answered(admin.get(`/conflicts?document=${scene.id}${query}`), 200)
        const { body } = await answered(admin.get(`/documents/${scene.id}`), 200)
        await answered(admin.delete(`/documents/${scene.id}?baseVersion=${body.version}`), 204)
        return nothing
      }
    },
  },
]

const nothing = (): void => undefined

/** A text that each version writes otherwise, and longer than what is kept at hand of it. */
async function makeRewrites(scene: Scene, versions: number, bytes: number): Promise<void> {
  await createDocument(scene, { kind: 'text', content: '' })
  for (let version = 1; version <= versions; version++) {
    const content = prose(bytes).replaceAll('prose', `prose ${version}`).slice(0, bytes)
    await answered(scene.writer.put(`/documents/${scene.id}`, { content, baseVersion: version }, LEAN), 200)
  }
}

const LEAN = { prefer: 'return=minimal' }

/** So many writes on an old version of one document, each refused, of as many authors as it takes. */
async function makeConflicts(scene: Scene, conflicts: number): Promise<void> {
  await createDocument(scene, { kind: 'text', content: 'first' })
  await answered(scene.writer.put(`/documents/${scene.id}`, { content: 'second', baseVersion: 1 }), 200)
  for (let author = 0; author * OF_ONE_AUTHOR < conflicts; author++) {
    const one = caller(() => scene.parley.url, await benchToken(`${scene.id}-${author}`))
    for (let sent = 0; sent < OF_ONE_AUTHOR; sent += AT_ONCE) {
      const writes = Array.from({ length: Math.min(AT_ONCE, OF_ONE_AUTHOR - sent) }, (_, n) =>
        one.put(`/documents/${scene.id}`, { content: `${author} ${sent + n}`, baseVersion: 1 }, LEAN),
      )
      await Promise.all(writes.map((write) => answered(write, 409)))
    }
  }
}

import { caller, type Caller } from '../support/server.ts'
import { answered, createDocument, prose, KIBIBYTE, MEBIBYTE } from './stallScene.ts'
import type { Scene, StallingAct } from './stallingAct.ts'
import { benchToken } from './token.ts'

/** Open conflicts of one author, as many as there may be (SPEC CONF-9). */
const OPEN_CONFLICTS = 100
/** As many places as are kept of a conflict, so that writes can be told apart from them. */
const REFUSED_KEYS = 250
/** Those who ask for one thing at once. */
const ASKING = 30

/** Acts over REST. */
export const REST_ACTS: readonly StallingAct[] = [
  {
    name: 'a refused write of # changed keys, with its conflict',
    sizes: [1_000, 20_000, 40_000],
    async prepare(scene, size) {
      await makeKeys(scene, size)
      return async () => {
        await answered(scene.writer.put(`/documents/${scene.id}`, { content: keys(size, 2), baseVersion: 1 }), 409)
        return nothing
      }
    },
  },
  {
    name: `GET of a conflict of # changed keys, by ${ASKING} at once`,
    sizes: [1_000, 20_000, 40_000],
    async prepare(scene, size) {
      await makeKeys(scene, size)
      const refused = scene.writer.put(`/documents/${scene.id}`, { content: keys(size, 2), baseVersion: 1 })
      const { id } = (await answered(refused, 409)).body.conflict
      return async () => {
        const asked = Array.from({ length: ASKING }, () => scene.writer.get(`/conflicts/${id}`))
        await Promise.all(asked.map((one) => answered(one, 200)))
        return nothing
      }
    },
  },
  {
    name: '/diff of # changed keys',
    sizes: [1_000, 40_000],
    async prepare(scene, size) {
      await makeKeys(scene, size)
      return async () => {
        await answered(scene.writer.get(`/documents/${scene.id}/diff?from=1&to=2`), 200)
        return nothing
      }
    },
  },
  {
    name: 'blame of # keys by two authors in turn',
    sizes: [1_000, 90_000],
    async prepare(scene, size) {
      await makeKeys(scene, size, (n) => n % 2 === 0)
      return async () => {
        await answered(scene.writer.get(`/documents/${scene.id}/blame`), 200)
        return nothing
      }
    },
  },
  {
    name: '/diff of two texts of # KiB, half of the lines changed',
    sizes: [1_000, 10_000],
    async prepare(scene, size) {
      await makeText(scene, size)
      return async () => {
        await answered(scene.writer.get(`/documents/${scene.id}/diff?from=1&to=2`), 200)
        return nothing
      }
    },
  },
  {
    name: `${ASKING} aborted blames of a text of # KiB`,
    sizes: [1_000, 10_000],
    async prepare(scene, size) {
      await makeText(scene, size)
      return async () => {
        const url = `${scene.parley.url}/documents/${scene.id}/blame`
        const leaving = new AbortController()
        const asked = Array.from({ length: ASKING }, () =>
          fetch(url, { headers: { authorization: `Bearer ${scene.token}` }, signal: leaving.signal }).catch(nothing),
        )
        await new Promise((resolve) => setTimeout(resolve, 5))
        leaving.abort()
        await Promise.all(asked)
        await answered(scene.writer.get(`/documents?pattern=${scene.id}`), 200)
        return nothing
      }
    },
  },
  {
    name: 'a refused write of a text of # KiB, half of the lines changed on both sides',
    sizes: [100, 1_000, 10_000],
    async prepare(scene, size) {
      await makeText(scene, size)
      return () => putOther(scene, size, 409)
    },
  },
  {
    name: 'a write that changes half of the lines of a text of # KiB',
    sizes: [100, 1_000, 10_000],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'text', content: lines(size).join('\n') })
      return () => putOther(scene, size, 200)
    },
  },
  {
    name: 'a stale write of half of the lines of a text of # KiB that is merged with what came between',
    sizes: [1_000, 10_000],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'text', conflictPolicy: 'merge', content: lines(size).join('\n') })
      const path = `/documents/${scene.id}/content?baseVersion=1`
      await answered((await otherWriter(scene)).patch(path, patchOf(0, 1), DELTA), 200)
      return () => putOther(scene, size, 200)
    },
  },
  {
    name: 'a resolution as incoming of a text of # KiB, half of the lines changed on both sides',
    sizes: [1_000, 10_000],
    async prepare(scene, size) {
      await makeText(scene, size)
      const content = changed(lines(size), 'of the other')
      const refused = scene.writer.put(`/documents/${scene.id}`, { content, baseVersion: 1 })
      const { id } = (await answered(refused, 409)).body.conflict
      const resolution = { conflictId: id, use: 'incoming', baseVersion: 2 }
      return async () => {
        await answered(scene.writer.post('/resolve-conflict', resolution), 200)
        return nothing
      }
    },
  },
  {
    name: 'a text of # KiB as it was, half of the lines changed since',
    sizes: [1_000, 10_000],
    async prepare(scene, size) {
      await makeText(scene, size)
      return async () => {
        await answered(scene.writer.post(`/documents/${scene.id}/restore`, { version: 1, baseVersion: 2 }), 200)
        return nothing
      }
    },
  },
  {
    name: `a write of # KiB by somebody with ${OPEN_CONFLICTS} open conflicts`,
    sizes: [100, 1_000, 7_400],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'text', content: lines(size).join('\n') })
      const other = await otherWriter(scene)
      const path = `/documents/${scene.id}/content`
      await answered(other.patch(`${path}?baseVersion=1`, patchOf(0, LINE_UNITS * OPEN_CONFLICTS), DELTA), 200)
      for (let n = 0; n < OPEN_CONFLICTS; n++) {
        const refused = scene.writer.patch(`${path}?baseVersion=1`, patchOf(n * LINE_UNITS + 1, 1), DELTA)
        await answered(refused, 409)
      }
      return async () => {
        const end = size * KIBIBYTE - LINE_UNITS * (OPEN_CONFLICTS + 10)
        await answered(scene.writer.patch(`${path}?baseVersion=2`, patchOf(end, 3), DELTA), 200)
        // What is done behind the answer counts too.
        await new Promise((resolve) => setTimeout(resolve, 3_000))
        return nothing
      }
    },
  },
  {
    name: `a write of # keys by somebody with ${OPEN_CONFLICTS} open conflicts of ${REFUSED_KEYS} others`,
    sizes: [1_000, 20_000],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'json', content: keys(size, 0) })
      const other = await otherWriter(scene)
      const path = `/documents/${scene.id}/content?baseVersion=1`
      await answered(other.patch(path, keys(REFUSED_KEYS, 1), MERGE_PATCH), 200)
      for (let n = 0; n < OPEN_CONFLICTS; n++) {
        await answered(scene.writer.patch(path, keys(REFUSED_KEYS, n + 2), MERGE_PATCH), 409)
      }
      const content = { ...keys(size, 2), ...keys(REFUSED_KEYS, 1) }
      return async () => {
        await answered(scene.writer.put(`/documents/${scene.id}`, { content, baseVersion: 2 }), 200)
        // What is done behind the answer counts too.
        await new Promise((resolve) => setTimeout(resolve, 3_000))
        return nothing
      }
    },
  },
  {
    name: 'a write of # objects under a schema with uniqueItems',
    sizes: [2_000, 20_000],
    async prepare(scene, size) {
      const schema = { properties: { items: { type: 'array', uniqueItems: true, items: { type: 'object' } } } }
      await createDocument(scene, { kind: 'json', schema, content: { items: [] } })
      const items = Array.from({ length: size }, (_, n) => ({ name: `item ${n}`, n }))
      return async () => {
        const written = scene.writer.put(`/documents/${scene.id}`, { content: { items }, baseVersion: 1 })
        await answered(written, 200)
        return nothing
      }
    },
  },
  {
    name: 'a schema of # subschemas that is set',
    sizes: [100, 1_000],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'json', content: {} })
      const properties = Object.fromEntries(Array.from({ length: size }, (_, n) => [`k${n}`, { minLength: n % 9 }]))
      return async () => {
        const set = scene.writer.patch(`/documents/${scene.id}`, { schema: { properties }, baseVersion: 1 })
        await answered(set, 200)
        return nothing
      }
    },
  },
  {
    name: 'a write of # KiB under a schema that asks for all work there may be',
    sizes: [100, 1_000],
    async prepare(scene, size) {
      const schema = {
        additionalProperties: { anyOf: Array.from({ length: 400 }, (_, n) => ({ pattern: `x${n}y+$` })) },
      }
      await createDocument(scene, { kind: 'json', schema, content: {} })
      const content = Object.fromEntries(Array.from({ length: size }, (_, n) => [`k${n}`, 'x'.repeat(1_000)]))
      return async () => {
        await answered(scene.writer.put(`/documents/${scene.id}`, { content, baseVersion: 1 }), 422)
        return nothing
      }
    },
  },
]

const nothing = (): void => undefined

const MERGE_PATCH = { 'content-type': 'application/merge-patch+json', prefer: 'return=minimal' }
const DELTA = { 'content-type': 'application/vnd.parley.delta+json', prefer: 'return=minimal' }
const LINE_UNITS = prose(1).length

const patchOf = (retain: number, remove: number): unknown[] => [
  ...(retain === 0 ? [] : [{ retain }]),
  { delete: remove },
  { insert: '#' },
]

/** Members with values that say who made them; `isOf`: the others are as they were. */
const keys = (size: number, by: number, isOf: (n: number) => boolean = () => true): Record<string, number> =>
  Object.fromEntries(Array.from({ length: size }, (_, n) => [`key${n}`, isOf(n) ? n * 10 + by : n * 10]))

/** Version 1 by the writer, version 2 by somebody else. */
async function makeKeys(scene: Scene, size: number, isOf?: (n: number) => boolean): Promise<void> {
  await createDocument(scene, { kind: 'json', content: keys(size, 0) })
  const other = await otherWriter(scene)
  await answered(other.put(`/documents/${scene.id}`, { content: keys(size, 1, isOf), baseVersion: 1 }), 200)
}

/** Half of the lines otherwise than in version 1, on that. */
async function putOther({ writer, id }: Scene, size: number, wanted: number): Promise<() => void> {
  const content = changed(lines(size), 'of the other')
  await answered(writer.put(`/documents/${id}`, { content, baseVersion: 1 }), wanted)
  return nothing
}

async function makeText(scene: Scene, size: number): Promise<void> {
  await createDocument(scene, { kind: 'text', content: lines(size).join('\n') })
  const other = await otherWriter(scene)
  const content = changed(lines(size), 'of the one')
  await answered(other.put(`/documents/${scene.id}`, { content, baseVersion: 1 }), 200)
}

function lines(size: number): string[] {
  const bytes = Math.min(size * KIBIBYTE, 7.5 * MEBIBYTE)
  return Array.from({ length: Math.floor(bytes / LINE_UNITS) }, (_, n) => `${n} ${prose(1)}`.slice(0, LINE_UNITS - 1))
}

const changed = (all: readonly string[], by: string): string =>
  all.map((line, n) => (n % 2 === 0 ? line : `${by} ${line}`)).join('\n')

const otherWriter = async ({ parley }: Scene): Promise<Caller> => caller(() => parley.url, await benchToken('other'))
